// sequence.ts: draws handshakes as sequence diagrams, the browser on the left and the server on the right.

import { make } from "./dom.js";
import type { Audience, Outcome, Step } from "./handshake.js";

const MOST_ROUNDS = 4; // a tab that stays open for days is not to fill up with them

const ways: Record<Step["way"], string> = {
  "to-server": "Browser to server: ",
  "to-browser": "Server to browser: ",
  "in-server": "In the server: ",
  end: "",
};

const outcomes: Record<Outcome, string> = {
  created: "created",
  joined: "joined",
  refused: "refused",
  lost: "no connection",
};

/** Draws into `panel`: the present round on top and open, the earlier ones folded below it. */
export function drawSequence(panel: HTMLElement): Audience {
  let list = make("ol", "steps");
  let result = make("span", "outcome");
  let unanswered: HTMLElement | undefined; // by the server, so far
  let rounds = 0;

  return {
    round(reconnection) {
      unanswered?.remove(); // of many attempts in vain, the last one is enough
      if (!unanswered) rounds += 1;
      for (const earlier of panel.querySelectorAll("details")) earlier.open = false;

      list = make("ol", "steps");
      result = make("span", "outcome");
      const title = reconnection ? `Connection ${rounds}, after the loss of the one before` : `Connection ${rounds}`;
      const ends = make("div", "ends", make("span", "", "Browser"), make("span", "", "Server"));
      const round = make("details", "round", make("summary", "", make("span", "", title), " ", result), ends, list);
      round.open = true;

      panel.prepend(round);
      panel.querySelectorAll("details")[MOST_ROUNDS]?.remove();
      unanswered = round;
    },

    step(step, index) {
      list.insertBefore(draw(step), list.children[index] ?? null);
      if (step.way === "to-browser") unanswered = undefined;
    },

    outcome(outcome, ms) {
      result.textContent = outcome === "lost" ? outcomes.lost : `${outcomes[outcome]}, ${ms.toFixed(0)} ms`;
      result.classList.add(outcome);
    },
  };
}

function draw({ way, title, packet, why, time, verdict }: Step): HTMLLIElement {
  return make(
    "li",
    `step ${way} ${verdict ?? ""}`,
    make("p", "what", make("span", "unseen", ways[way]), make("strong", "", title), " ", make("span", "time", time)),
    make("code", "packet", ...marked(packet)),
    make("p", "why", why),
  );
}

/** The packet, with the part that this project is about made to stand out. */
function marked(packet: string): (Node | string)[] {
  const [before = "", ns, after = ""] = packet.split(/(?<=[?&])(ns=[^&]*)/);
  return ns === undefined ? [packet] : [before, make("mark", "", ns), after];
}
