/**
 * A long-lived part of the daemon. Both methods may be called at any time and more than once:
 * stopping what never started, and stopping twice, do nothing.
 */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}
