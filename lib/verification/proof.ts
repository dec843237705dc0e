// Responsible for what a verification proves and what it does not: as codes with parameters, and in English sentences. Pure.

import { fillTemplate, type Parameter } from '../core/text-template.ts';
import { type ProofCode, type ProofStatement, proofTexts } from './proof-texts.ts';
import type { Verification } from './verification.ts';

/** What of a verification the statements depend on. */
export type Proof = Pick<
  Verification,
  | 'faults'
  | 'unchecked'
  | 'underWay'
  | 'manifests'
  | 'pruned'
  | 'prunedParts'
  | 'signatures'
  | 'pinned'
  | 'notHashed'
  | 'notReached'
  | 'rowParts'
>;

export interface ProofStatements {
  /** Of what is stored. With faults or unchecked objects, these objects are excepted. */
  stored: ProofStatement[];
  /** Of the whole history, by keys and pins. Empty with faults or unchecked objects. */
  anchored: ProofStatement[];
  notProven: ProofStatement[];
}

export interface ProofWords {
  proven: string;
  notProven: string;
}

export function listStatements(proof: Proof): ProofStatements {
  const { underWay, pinned, signatures, rowParts } = proof;
  const whole = isWhole(proof);
  const hasKeys = signatures.keysFrom === 'given';
  const hasPins = pinned !== null && pinned.targets > 0;
  const isAnchored = whole && (hasKeys || hasPins);
  return {
    stored: [stateParts(proof), ...stateRows(rowParts), state('chainMatches')],
    anchored: [
      ...(whole && hasKeys ? stateKeys(proof) : []),
      ...(whole && hasPins ? [state('pinnedInChain', pinned.targets)] : []),
    ],
    notProven: [
      ...(isAnchored ? listLimits(proof) : stateUnanchored(whole, hasKeys || hasPins)),
      ...(!hasKeys && signatures.valid > 0 ? [state('storeKeysUsed', signatures.valid)] : []),
      ...stateNotHashed(proof),
      ...statePruned(proof),
      ...stateNotCompared(rowParts),
      ...(underWay.length > 0 ? [state('sealUnderWay')] : []),
    ],
  };
}

/** The statements as text. `verify` and the report print it, so a change of it is a change for their readers. */
export function describeProof(proof: Proof): ProofWords {
  const { stored, anchored, notProven } = listStatements(proof);
  const clauses = stored.map((statement) => startSmall(say(statement)).replace(/\.$/, ''));
  const last = clauses.pop();
  const except = isWhole(proof) ? '' : 'except for the listed findings, ';
  return {
    proven: [`${except}${clauses.join(', ')}, and ${last}.`, ...anchored.map(say)].join(' '),
    notProven: startSmall(notProven.map(say).join(' ')),
  };
}

function isWhole({ faults, unchecked }: Pick<Proof, 'faults' | 'unchecked'>): boolean {
  return faults.length === 0 && unchecked.length === 0;
}

function state(code: ProofCode, ...parameters: Parameter[]): ProofStatement {
  return { code, parameters };
}

/** Numbers are not grouped: programs may read them. */
function say({ code, parameters }: ProofStatement): string {
  return fillTemplate(proofTexts[code], parameters, String);
}

function startSmall(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

function stateParts({ notHashed: { parts, since }, prunedParts }: Proof): ProofStatement {
  const pick = (code: ProofCode, unpruned: ProofCode) => (prunedParts === 0 ? code : unpruned);
  if (parts === 0) return state(pick('bytesMatch', 'bytesMatchUnpruned'));
  if (since === null) return state(pick('sizesMatch', 'sizesMatchUnpruned'));
  return state(pick('bytesMatchSince', 'bytesMatchSinceUnpruned'), since);
}

function statePruned({ pruned, prunedParts, signatures }: Proof): ProofStatement[] {
  const hasStoreKeys = signatures.keysFrom === 'store';
  const tombstone = hasStoreKeys ? state('tombstoneForgeable', pruned) : state('tombstoneReusable');
  return [
    ...(prunedParts > 0 ? [state('rowsPruned', prunedParts, pruned)] : []),
    ...(pruned > 0 ? [tombstone] : []),
  ];
}

function stateRows({ compared, notCompared }: Proof['rowParts']): ProofStatement[] {
  if (compared === 0) return [];
  return [notCompared === 0 ? state('rowsMatch') : state('rowsMatchOfSome', compared)];
}

function stateNotCompared({ compared, notCompared }: Proof['rowParts']): ProofStatement[] {
  return [
    ...(compared === 0 ? [] : [state('otherColumnsUnchecked')]),
    ...(notCompared === 0 ? [] : [state('rowsNotCompared', notCompared)]),
  ];
}

function stateNotHashed({ notHashed: { parts, since }, notReached }: Proof): ProofStatement[] {
  if (parts === 0) return [];
  return [
    since === null ? state('partsNotHashed', parts) : state('partsNotHashedBefore', parts, since),
    ...(notReached.length === 0 ? [] : [state('timeTooShort', notReached.length)]),
  ];
}

function stateKeys({ manifests, pruned, signatures: { covered } }: Proof): ProofStatement[] {
  return [
    state('givenKeySigned', manifests - covered, manifests),
    ...(covered === 0 ? [] : [state('olderCovered', covered)]),
    ...(pruned === 0 ? [] : [state('tombstonesSigned', pruned)]),
  ];
}

function stateUnanchored(whole: boolean, hasAnchor: boolean): ProofStatement[] {
  return [
    state(whole ? 'consistentButRewritable' : 'rewritable'),
    state(hasAnchor ? 'excludedWithoutFindings' : 'useKeysAndPins'),
  ];
}

/** What remains possible in spite of the keys and pins. */
function listLimits({ signatures, pinned }: Proof): ProofStatement[] {
  const hasKeys = signatures.keysFrom === 'given';
  return [
    ...(pinned === null || pinned.targets === 0
      ? [state('newestDeletable')]
      : listLimitsOfPins(pinned.without, hasKeys)),
    ...(hasKeys ? [state('signerNotBound')] : []),
    ...(signatures.covered > 0 ? [state('olderRewritable')] : []),
  ];
}

function listLimitsOfPins(without: number, hasKeys: boolean): ProofStatement[] {
  return [
    state('rollbackPossible'),
    ...(hasKeys ? [] : [state('afterPinRewritable')]),
    ...(without === 0
      ? []
      : [state(hasKeys ? 'unpinnedDeletable' : 'unpinnedRewritable', without)]),
  ];
}
