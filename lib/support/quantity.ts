/**
 * Quantities in the form in which the API server stores them, so that a second `kubectl apply` finds nothing to
 * change.
 *
 * @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
import { Size, SizeRoundingBehavior } from 'cdk8s';
import { refuse } from './text';

const UNITS = ['Mi', 'Gi', 'Ti', 'Pi'];

/** 32768 is "32Gi". */
export function mebibytes(count: number): string {
  let [amount, unit] = [count, 0];
  while (amount > 0 && amount % 1024 === 0 && unit < UNITS.length - 1) {
    [amount, unit] = [amount / 1024, unit + 1];
  }
  return `${amount}${UNITS[unit]}`;
}

/** Rounded up. */
export const wholeMebibytes = (size: Size): number =>
  Math.ceil(size.toKibibytes({ rounding: SizeRoundingBehavior.NONE }) / 1024);

/** The number of MiB that such a text says. */
export function mebibytesIn(text: string): number | undefined {
  const [, amount, unit] = /^(\d+)([MGTP]i)$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(amount) * 1024 ** UNITS.indexOf(unit);
}

/** 1500 is "1500m", 2000 is "2". */
export const millicores = (count: number): string => (count % 1000 === 0 ? `${count / 1000}` : `${count}m`);

const THOUSANDS = ['', 'k', 'M', 'G'];

/** 1500 is "1500", 2000 is "2k". */
export function thousands(count: number): string {
  let [amount, unit] = [count, 0];
  while (amount > 0 && amount % 1000 === 0 && unit < THOUSANDS.length - 1) {
    [amount, unit] = [amount / 1000, unit + 1];
  }
  return `${amount}${THOUSANDS[unit]}`;
}

const MOST_MILLICORES = 64_000;

/** What a container may ask for. */
export function checkMillicores(where: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= MOST_MILLICORES) return value;
  return refuse({
    where,
    want: `must be thousandths of a core, a whole number from 1 to ${MOST_MILLICORES}`,
    got: value,
    next: 'a quarter of a core is 250',
  });
}
