/** The job that measures a published release further, and why the last one came to nothing. */
export const name = '004-proof';

export const up = `
alter table release add column proof_job uuid, add column proof_note text;
`;
