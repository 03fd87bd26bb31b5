/** One way to go on with a command line. */
export interface Candidate {
  readonly value: string;
  readonly about: string;
}
