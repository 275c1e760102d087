import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FINDING_EXAMPLES } from './finding-examples.ts';
import {
  collectFindings,
  FINDING_SEVERITY,
  type FindingCode,
  MAX_FINDINGS,
  MAX_PER_CODE,
} from './findings.ts';
import { parseLesson } from './lesson.ts';

const CODES = Object.keys(FINDING_SEVERITY) as FindingCode[];

describe('findings', () => {
  it.each(FINDING_EXAMPLES)('$code: $what', ({ code, source, severity, path, also = [] }) => {
    const line = source.slice(0, source.indexOf('◀')).split('\n').length;
    const { findings, ok } = parseLesson(source.replace('◀', ''));
    const expected = { code, severity: severity ?? FINDING_SEVERITY[code], line, ...(path ? { path } : {}) };
    expect(findings).toContainEqual({ ...expected, message: expect.stringMatching(/^\S.*[.!]$/s) });
    const consequences = code.startsWith('FRONT_MATTER') || code === 'STUDY_TEXT_MISSING';
    if (!consequences)
      expect(new Set(findings.map((finding) => finding.code))).toEqual(new Set([code, ...also]));
    expect(ok).toBe(findings.every((finding) => finding.severity === 'warning'));
  });

  it('have an example each', () => {
    const shown = new Set(FINDING_EXAMPLES.map(({ code }) => code));
    expect(CODES.filter((code) => !shown.has(code))).toEqual([]);
  });

  it('are all explained to teachers', () => {
    const guide = readFileSync(new URL('../../../../docs/lesson-format.md', import.meta.url), 'utf8');
    const rows = [...guide.matchAll(/^\| `([A-Z_]+)` \| (error|warning)\b/gm)].map(([, code, severity]) => [
      code,
      severity,
    ]);
    expect(Object.fromEntries(rows)).toEqual(FINDING_SEVERITY);
  });

  it('come in the order of the lines', () => {
    const { report, all } = collectFindings(false);
    report('MEDIA_URL', 9, 'Later.');
    report('CALLOUT_ICON', 2, 'Earlier.');
    expect(all().map(({ line }) => line)).toEqual([2, 9]);
  });

  it('are listed a limited number of times each, and counted', () => {
    const { report, all } = collectFindings(false);
    for (let line = 1; line <= MAX_PER_CODE + 5; line += 1) report('MEDIA_URL', line, 'No address.');
    expect(all()).toHaveLength(MAX_PER_CODE);
    expect(all().at(-1)?.message).toBe('No address. There are 5 more like this.');
  });

  it('are at most two hundred, errors first', () => {
    const { report, all } = collectFindings(false);
    for (const code of CODES) for (let line = 1; line <= MAX_PER_CODE; line += 1) report(code, line, 'Here.');
    expect(all()).toHaveLength(MAX_FINDINGS);
    expect(all().every(({ severity }) => severity === 'error')).toBe(true);
  });
});
