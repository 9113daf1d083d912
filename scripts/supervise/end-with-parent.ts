/** Loaded into every child of the supervisor: when the supervisor is gone, however it went, the child ends as if it had been asked to. */
if (process.connected) {
  process.channel?.unref();
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
}
