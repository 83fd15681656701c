/** Ends a run early, with the reason: an abort, unless it is one of the others. */
export class Halt extends Error {}

/** Without requests, nothing can be said of the system. The load has the reason. */
export class LoadEnded extends Halt {}

/** Nothing, or not all of it, was asked of the system. */
export class NotInjected extends Halt {}
