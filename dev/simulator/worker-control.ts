/** Where the simulator tells the Worker of `npm run dev` how far its clock is ahead: the body is the number of ms. */
export const CLOCK_PATH = "/_simulator/clock";

/** What the simulator answers before each turn of the bot. */
export interface BotFault {
  readonly ms?: number;
  readonly throws?: boolean;
}
