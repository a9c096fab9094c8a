/** Options of yargs that the commands of all agents share. */
export const outputOption = {
  output: {
    alias: 'o',
    choices: ['table', 'json'],
    default: 'table',
    requiresArg: true,
    describe: 'For people, or for programs',
  },
} as const;

/** How a command reaches the running agent; `usual` says where it looks without --address. */
export function connectionOptions(usual: string) {
  return {
    ...outputOption,
    address: {
      type: 'string',
      requiresArg: true,
      describe: "Where the agent's API is: the path of its socket, or host:port",
      defaultDescription: usual,
    },
    'token-file': {
      type: 'string',
      requiresArg: true,
      describe: 'A file with the token that the agent asks for over TCP (admin.token_file)',
    },
  } as const;
}
