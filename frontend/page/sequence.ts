// sequence.ts: draws handshakes as sequence diagrams, with the browser on the left and the server on the right.

import { make } from "./dom.js";
import { drawHandler } from "./handler.js";
import type { HandshakeView } from "./handshake.js";
import type { Result, Step } from "./steps.js";

const MAX_HANDSHAKES = 4; // older ones are removed, or a page that stays open for days would fill up

/** For screen readers, which do not see the arrows. */
const places: Record<Step["place"], string> = {
  "to-server": "Browser to server: ",
  "to-browser": "Server to browser: ",
  "in-server": "In the server: ",
  end: "",
};

const results: Record<Result, string> = {
  created: "created",
  found: "found",
  refused: "refused",
  lost: "no connection",
};

/** Draws into `panel`: the latest handshake is on top and open, the earlier ones are closed below it. */
export function drawHandshakes(panel: HTMLElement): HandshakeView {
  let list = make("ol", "steps");
  let resultText = make("span", "result-text");
  let unanswered: HTMLElement | undefined; // the latest handshake, as long as the server has not answered
  let number = 0;

  return {
    begin(reconnection) {
      unanswered?.remove(); // of many failed attempts, only the last one is shown
      if (!unanswered) number += 1;
      for (const earlier of panel.querySelectorAll("details")) earlier.open = false;

      list = make("ol", "steps");
      resultText = make("span", "result-text");
      const title = reconnection ? `Connection ${number} (reconnection)` : `Connection ${number}`;
      const sides = make("div", "sides", make("span", "", "Browser"), make("span", "", "Server"));
      const summary = make("summary", "", make("span", "", title), " ", resultText);
      const handshake = make("details", "handshake", summary, sides, list);
      handshake.open = true;

      panel.prepend(handshake);
      panel.querySelectorAll("details")[MAX_HANDSHAKES]?.remove();
      unanswered = handshake;
    },

    addStep(step, index) {
      list.insertBefore(draw(step), list.children[index] ?? null);
      if (step.place === "to-browser") unanswered = undefined;
    },

    end(result, ms) {
      resultText.textContent = result === "lost" ? results.lost : `${results[result]}, ${ms.toFixed(0)} ms`;
      resultText.classList.add(result);
    },
  };
}

function draw({ place, title, packet, explanation, time, result }: Step): HTMLLIElement {
  const heading = [make("span", "visually-hidden", places[place]), make("strong", "", title), " "];
  const code = make("code", packet === undefined ? "code handler" : "code", ...highlightNs(packet ?? ""));
  if (place === "in-server" && result) void drawHandler(code, result, "all");
  return make(
    "li",
    `step ${place} ${result ?? ""}`,
    make("p", "heading", ...heading, make("span", "time", time)),
    code,
    make("p", "explanation", explanation),
  );
}

/** Highlights `ns=...` in the query of a request. */
function highlightNs(packet: string): (Node | string)[] {
  const [before = "", ns, after = ""] = packet.split(/(?<=[?&])(ns=[^&]*)/);
  return ns === undefined ? [packet] : [before, make("mark", "", ns), after];
}
