// Tests promise 1 on a file system: whatever the clocks of the hosts do, in no window of real time do more requests leave than
// the quota allows, and no exporter is blocked for longer than a window, the time-out and the guard. Method: simulated hosts
// in virtual time, one group for each seed. A failure prints the group with its seed.

import { describe, expect, test } from 'vitest';
import { guardMinMs, sendWithinMs } from '../../lib/quota/window.ts';
import { mostInWindow } from '../support/busiest-window.ts';
import { countCases } from '../support/cases.ts';
import { type Hosts, simulateHosts } from './host-simulation.ts';

function hostsOf(seed: number, overrides: Partial<Hosts> = {}): Hosts {
  return {
    seed,
    hosts: 1,
    clock: 'host',
    quota: { requests: [1, 2, 5][seed % 3] ?? 5, windowSeconds: [10, 60][seed % 2] ?? 60 },
    work: 12,
    requestTimeoutMs: 5_000,
    command: 'export',
    killChance: seed % 4 === 0 ? 0 : 0.02,
    rebootChance: seed % 5 === 0 ? 0 : 0.3,
    jumpChance: 0.1,
    restartMs: 1_000,
    ...overrides,
  };
}

/** The times between two requests, and how many processes were killed or hosts started again within each. */
function gapsOf({ departedMs, lostMs }: { departedMs: number[]; lostMs: number[] }) {
  return departedMs.slice(1).map((endMs, index) => {
    const startMs = departedMs[index] ?? 0;
    const lost = lostMs.filter((timeMs) => timeMs >= startMs - 1_000 && timeMs <= endMs).length;
    return { lengthMs: endMs - startMs, lost };
  });
}

/** `extraMs`: how long a process may be away by itself between two requests. */
async function check(hosts: Hosts, extraMs = 3_000) {
  const result = await simulateHosts(hosts);
  const { departedMs, quota } = result;
  const where = JSON.stringify(hosts);
  expect(mostInWindow(departedMs, quota.windowMs), where).toBeLessThanOrEqual(quota.requests);
  const blockedMs = quota.windowMs + sendWithinMs + hosts.requestTimeoutMs + guardMinMs;
  for (const { lengthMs, lost } of gapsOf(result)) {
    // Each process that was killed may have sent what it reserved.
    const startMs = 5_000;
    const limitMs = blockedMs + extraMs + lost * (blockedMs + startMs + extraMs);
    expect(lengthMs, where).toBeLessThanOrEqual(limitMs);
  }
  return result;
}

const seeds = countCases(300);
const fewSeeds = countCases(100);
const manySeeds = countCases(400);

describe('the quota holds in real time, and no exporter is blocked for too long', () => {
  test(`on a disk of one host whose clock jumps by up to a year, for ${seeds} seeds`, async () => {
    let events = 0;
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { kills, reboots, jumps } = await check(hostsOf(seed));
      events += kills + reboots + jumps;
    }
    expect(events).toBeGreaterThan(countCases(1_500));
  }, 60_000);

  test(`on a file server with two to four hosts whose clocks jump by up to a year, for ${seeds} seeds`, async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      await check(hostsOf(seed, { hosts: 2 + (seed % 3), clock: 'server', work: 6 }));
    }
  }, 60_000);

  test(`for a timer that waits 3 s at most, on a disk and on a file server, for ${fewSeeds} seeds each`, async () => {
    for (let seed = 1; seed <= fewSeeds; seed += 1) {
      const timer = { command: 'tick', quota: { requests: 2, windowSeconds: 10 } } as const;
      await check(hostsOf(seed, timer), 60_000);
      await check(hostsOf(seed, { ...timer, clock: 'server', hosts: 3, work: 6 }), 60_000);
    }
  }, 60_000);
});

test(`after a kill the next request leaves within one window and 2 s of the last one, for ${manySeeds} seeds`, async () => {
  let kills = 0;
  for (let seed = 1; seed <= manySeeds; seed += 1) {
    const hosts = hostsOf(seed, {
      quota: { requests: 2 + (seed % 4), windowSeconds: 60 },
      rebootChance: 0,
      killChance: 0.01,
      restartMs: 500,
    });
    const result = await simulateHosts(hosts);
    for (const { lengthMs, lost } of gapsOf(result)) {
      // More kills can leave more slots uncertain.
      if (lost !== 1) continue;
      kills += 1;
      expect(lengthMs, JSON.stringify(hosts)).toBeLessThanOrEqual(62_000);
    }
  }
  expect(kills).toBeGreaterThan(100);
});
