import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** `ty_u_` user, `ty_r_` agent, `ty_s_` one-time set-up. */
export type TokenPrefix = 'ty_u_' | 'ty_r_' | 'ty_s_';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_BYTES = 20;
const RANDOM_DIGITS = 27;
const CHECK_DIGITS = 6;

/** 160 random bits and a checksum, so that a secret scanner can tell a real token from text that looks like one. */
export function newTokenText(prefix: TokenPrefix): string {
  const random = base62(BigInt(`0x${randomBytes(RANDOM_BYTES).toString('hex')}`), RANDOM_DIGITS);
  return `${prefix}${random}${checksum(`${prefix}${random}`)}`;
}

export function isTokenText(text: string, prefix: TokenPrefix): boolean {
  const body = text.slice(0, -CHECK_DIGITS);
  return (
    text.startsWith(prefix) &&
    text.length === prefix.length + RANDOM_DIGITS + CHECK_DIGITS &&
    text.slice(-CHECK_DIGITS) === checksum(body)
  );
}

/** What is stored: 160 random bits need no salt. */
export function hashToken(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function checksum(text: string): string {
  return base62(BigInt(crc32(text)), CHECK_DIGITS);
}

function base62(value: bigint, digits: number): string {
  let text = '';
  for (let rest = value; text.length < digits; rest /= 62n) text = `${DIGITS[Number(rest % 62n)] ?? ''}${text}`;
  return text;
}
