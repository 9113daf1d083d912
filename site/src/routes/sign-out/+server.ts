import { redirect, type RequestHandler } from '@sveltejs/kit';
import { callAuth } from '#lib/server/session.ts';

export const POST: RequestHandler = async (event) => {
  await callAuth(event, 'sign-out', {});
  redirect(303, '/');
};
