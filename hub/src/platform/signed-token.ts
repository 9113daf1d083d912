import { createHmac, timingSafeEqual } from 'node:crypto';
import { Problem } from '@trainyard/plugin-sdk';

/** Short-lived addresses: one method, one digest (or snapshot), fixed length, signed by the hub. Holding one is the permission. */
export type Ticket =
  | { readonly m: 'GET'; readonly digest: string; readonly name: string; readonly type: string; readonly exp: number }
  | { readonly m: 'PUT'; readonly digest: string; readonly bytes: number; readonly exp: number }
  /** `digest`: of the snapshot, or of a view of it in another format. */
  | { readonly m: 'SNAPSHOT'; readonly snapshot: string; readonly digest?: string; readonly exp: number };

function signature(secret: string, payload: string): Buffer {
  return createHmac('sha256', secret).update(payload).digest();
}

export function signTicket(secret: string, ticket: Ticket): string {
  const payload = Buffer.from(JSON.stringify(ticket)).toString('base64url');
  return `${payload}.${signature(secret, payload).toString('base64url')}`;
}

export function readTicket(secret: string, text: string, method: Ticket['m'], now: number): Ticket {
  const expired = new Problem('link-expired', {
    detail: 'This link is not valid any more.',
    fix: 'Open the page again to get a fresh one.',
  });
  const [payload, mac] = text.split('.');
  if (payload === undefined || mac === undefined) throw expired;
  const given = Buffer.from(mac, 'base64url');
  const wanted = signature(secret, payload);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw expired;
  const ticket = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Ticket;
  if (ticket.m !== method || ticket.exp < now) throw expired;
  return ticket;
}
