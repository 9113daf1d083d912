/** Pure: a failure → the setting to change for the next try. Null where no setting helps. */
export function remedyOf(code: string, config: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
  const batch = config['batch'];
  const rate = config['learning_rate'];
  if ((code === 'resource.gpu_oom' || code === 'resource.ram_oom') && typeof batch === 'number' && batch > 1)
    return { batch: Math.floor(batch / 2) };
  if (code === 'diverged.nan' && typeof rate === 'number') return { learning_rate: rate / 10 };
  return null;
}
