/** An application of the made-up company: a source of its own, whose name it bears. */
export interface Application {
  readonly name: string;
  /** The producer that its events name. */
  readonly producer: string;
  /** What happens there, for people. */
  readonly what: string;
}

/** The applications that send. */
export const APPLICATIONS: readonly Application[] = [
  { name: 'shop', producer: 'shop-1', what: 'logins, refunds' },
  { name: 'backoffice', producer: 'backoffice-1', what: 'roles, exports, keys' },
  { name: 'desk', producer: 'desk-1', what: 'an AI agent acting for users' },
];
