/** A runner with a wall also takes what waits for an approval: one index for both kinds of runner. */
export const name = '007-walled-jobs';

export const up = `
drop index job_waiting;
create index job_waiting on job (priority desc, created_at, id) where state = 'queued';
`;
