let listener: (() => void) | undefined;
let missed = false;

// Whoever imports this module catches SIGHUP from then on: nobody listening, it would end the process.
process.on('SIGHUP', () => {
  if (listener) listener();
  else missed = true;
});

/** Sets what SIGHUP does. One that came before, while the agent was still being loaded, is delivered now. */
export function onHangup(to: () => void): void {
  listener = to;
  if (missed) to();
  missed = false;
}
