export const operator = {
  title: 'Agents and queue',
  text: 'Who carries out the work, and what waits.',
  agents: 'Agents',
  noAgents: 'No agent has reported',
  noAgentsText: 'npm start begins a runner and a validator on this machine. See whether it is running.',
  queue: 'Queue',
  noJobs: 'Nothing waits and nothing runs.',
  busy: (busy: number, slots: number) => `${busy} of ${slots} busy`,
  seen: 'Seen',
  offers: 'Offers',
  kinds: 'Takes',
  jobKinds: {
    train: 'train',
    evaluate: 'evaluate',
    predict: 'predict',
    export: 'export',
    prepare: 'prepare',
    validate: 'validate',
    prove: 'prove',
  } as Readonly<Record<string, string>>,
  jobColumns: { kind: 'Kind', state: 'State', subject: 'For', sentence: 'What happens', since: 'Since' },
  walls: { none: 'no wall', userns: 'user namespace', container: 'container', pod: 'pod' } as Readonly<
    Record<string, string>
  >,
  cpus: (count: number) => (count === 1 ? '1 processor' : `${count} processors`),
};
