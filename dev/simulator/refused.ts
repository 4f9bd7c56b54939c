/** Something that cannot be done now. Its message is for the person at the simulator. */
export class Refused extends Error {}
