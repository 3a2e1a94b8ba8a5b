import { connect } from "./client.js";
import type { ChatServerEvents } from "../backend/events.js";
console.log(connect, {} as ChatServerEvents);
