import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

/**
 * What a field of an object of Kubernetes may be, of the fields that the API (v1.31) has at the places where the example has any. A
 * server refuses what is misspelt only when it is asked to, and a probe that it does not know is none.
 */
type Shape = 'text' | 'count' | 'flag' | 'name' | 'port' | 'map' | readonly [Shape] | Fields | Words;
/** One of these. */
interface Words {
  readonly words: readonly string[];
}
/** By name; those that have to be there end with `!`. */
interface Fields {
  readonly [name: string]: Shape;
}

const METADATA: Fields = { 'name!': 'name', namespace: 'name', labels: 'map', annotations: 'map' };
const SELECTOR: Fields = { 'matchLabels!': 'map' };
const REF: Fields = { 'name!': 'name', optional: 'flag' };
const KEY_REF: Fields = { ...REF, 'key!': 'text' };
const PROBE: Fields = {
  'httpGet!': { 'path!': 'text', 'port!': 'port', host: 'text', scheme: { words: ['HTTP', 'HTTPS'] } },
  initialDelaySeconds: 'count',
  periodSeconds: 'count',
  timeoutSeconds: 'count',
  failureThreshold: 'count',
  successThreshold: 'count',
  terminationGracePeriodSeconds: 'count',
};
const SECURITY: Fields = {
  runAsNonRoot: 'flag',
  runAsUser: 'count',
  runAsGroup: 'count',
  seccompProfile: {
    'type!': { words: ['RuntimeDefault', 'Localhost', 'Unconfined'] },
    localhostProfile: 'text',
  },
};
const CONTAINER: Fields = {
  'name!': 'name',
  'image!': 'text',
  imagePullPolicy: { words: ['Always', 'IfNotPresent', 'Never'] },
  command: ['text'],
  args: ['text'],
  envFrom: [{ configMapRef: REF, secretRef: REF, prefix: 'text' }],
  env: [{ 'name!': 'text', value: 'text', valueFrom: { secretKeyRef: KEY_REF, configMapKeyRef: KEY_REF } }],
  ports: [{ name: 'name', 'containerPort!': 'count', protocol: { words: ['TCP', 'UDP', 'SCTP'] } }],
  livenessProbe: PROBE,
  readinessProbe: PROBE,
  startupProbe: PROBE,
  resources: { requests: 'map', limits: 'map' },
  securityContext: {
    ...SECURITY,
    allowPrivilegeEscalation: 'flag',
    privileged: 'flag',
    readOnlyRootFilesystem: 'flag',
    capabilities: { add: ['text'], drop: ['text'] },
  },
  volumeMounts: [{ 'name!': 'name', 'mountPath!': 'text', readOnly: 'flag', subPath: 'text' }],
};
const POD_TERM: Fields = { 'topologyKey!': 'text', labelSelector: SELECTOR, namespaces: ['name'] };
const POD: Fields = {
  enableServiceLinks: 'flag',
  automountServiceAccountToken: 'flag',
  serviceAccountName: 'name',
  terminationGracePeriodSeconds: 'count',
  securityContext: { ...SECURITY, fsGroup: 'count' },
  affinity: {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [{ 'weight!': 'count', 'podAffinityTerm!': POD_TERM }],
      requiredDuringSchedulingIgnoredDuringExecution: [POD_TERM],
    },
  },
  nodeSelector: 'map',
  'containers!': [CONTAINER],
  volumes: [{ 'name!': 'name', emptyDir: { medium: 'text', sizeLimit: 'text' } }],
};
const HEAD: Fields = { 'apiVersion!': 'text', 'kind!': 'text', 'metadata!': METADATA };

/** By version and kind. */
const OBJECTS: Readonly<Record<string, Fields>> = {
  'v1 ConfigMap': { ...HEAD, 'data!': 'map', immutable: 'flag' },
  'v1 Service': {
    ...HEAD,
    'spec!': {
      clusterIP: 'text',
      type: { words: ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] },
      'selector!': 'map',
      publishNotReadyAddresses: 'flag',
      'ports!': [{ name: 'name', 'port!': 'count', targetPort: 'port', protocol: 'text' }],
    },
  },
  'apps/v1 StatefulSet': {
    ...HEAD,
    'spec!': {
      'serviceName!': 'name',
      replicas: 'count',
      podManagementPolicy: { words: ['OrderedReady', 'Parallel'] },
      'selector!': SELECTOR,
      'template!': { 'metadata!': { 'labels!': 'map', annotations: 'map' }, 'spec!': POD },
    },
  },
  'policy/v1 PodDisruptionBudget': {
    ...HEAD,
    'spec!': { maxUnavailable: 'port', minAvailable: 'port', 'selector!': SELECTOR },
  },
  'monitoring.coreos.com/v1 ServiceMonitor': {
    ...HEAD,
    'spec!': {
      'selector!': SELECTOR,
      'endpoints!': [{ port: 'name', path: 'text', interval: 'text', scheme: 'text', scrapeTimeout: 'text' }],
    },
  },
};

const PLAIN: Readonly<Record<string, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string' && value !== '',
  count: (value) => Number.isInteger(value) && Number(value) >= 0,
  flag: (value) => typeof value === 'boolean',
  name: (value) => typeof value === 'string' && /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(value),
  port: (value) => PLAIN['count']!(value) || PLAIN['text']!(value),
  // A number that is not quoted is refused.
  map: (value) => isObject(value) && Object.values(value).every((one) => typeof one === 'string'),
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is wrong, each with its place. */
function faults(value: unknown, shape: Shape, place: string): string[] {
  if (typeof shape === 'string') return PLAIN[shape]!(value) ? [] : [`${place}: no ${shape}`];
  if (isList(shape)) {
    if (!Array.isArray(value) || value.length === 0) return [`${place}: no list`];
    return value.flatMap((one, index) => faults(one, shape[0], `${place}[${index}]`));
  }
  if (isWords(shape)) return shape.words.includes(String(value)) ? [] : [`${place}: no word for it`];
  return isObject(value) ? faultsOfFields(value, shape, place) : [`${place}: no object`];
}

function faultsOfFields(value: Record<string, unknown>, fields: Fields, place: string): string[] {
  const missing = Object.keys(fields)
    .filter((name) => name.endsWith('!') && !(name.slice(0, -1) in value))
    .map((name) => `${place}.${name.slice(0, -1)}: missing`);
  const wrong = Object.entries(value).flatMap(([name, one]) => {
    const shape = fields[name] ?? fields[`${name}!`];
    return shape === undefined ? [`${place}.${name}: unknown`] : faults(one, shape, `${place}.${name}`);
  });
  return [...missing, ...wrong];
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function isWords(shape: Fields | Words): shape is Words {
  return Array.isArray(shape['words']);
}

function faultsOf(text: string): string[] {
  return parseAllDocuments(text, { uniqueKeys: true }).flatMap((document) => {
    if (document.errors.length > 0) return document.errors.map(String);
    const one = document.toJS() as { apiVersion: string; kind: string };
    const shape = OBJECTS[`${one.apiVersion} ${one.kind}`];
    return shape === undefined ? [`${one.apiVersion} ${one.kind}: unknown`] : faults(one, shape, one.kind);
  });
}

describe('the Kubernetes file', () => {
  const text = readFileSync('deploy/kubernetes/tandem.yaml', 'utf8');

  it('has the fields that Kubernetes has, each of its kind', () => {
    expect(parseAllDocuments(text)).toHaveLength(Object.keys(OBJECTS).length);
    expect(faultsOf(text)).toEqual([]);
  });

  it.each([
    ['livenessProbe:', 'livenessProb:', 'StatefulSet.spec.template.spec.containers[0].livenessProb: unknown'],
    [/periodSeconds: 5/, 'periodSeconds: 5s', /readinessProbe\.periodSeconds: no count$/],
    ["TANDEM_HTTP_PORT: '8080'", 'TANDEM_HTTP_PORT: 8080', 'ConfigMap.data: no map'],
    ['serviceName: tandem', 'subdomain: tandem', 'StatefulSet.spec.serviceName: missing'],
    ['apps/v1', 'apps/v2', 'apps/v2 StatefulSet: unknown'],
    [
      'podManagementPolicy: Parallel',
      'podManagementPolicy: parallel',
      /podManagementPolicy: no word for it$/,
    ],
  ])('would not pass with %s as %s', (is, wrong, fault) => {
    const changed = text.replace(is, wrong);
    expect(changed).not.toBe(text);
    expect(faultsOf(changed)).toContainEqual(
      typeof fault === 'string' ? fault : expect.stringMatching(fault),
    );
  });

  it('asks for no name of a volume or a port that is not there', () => {
    const set = parseAllDocuments(text)
      .map((document) => document.toJS() as { kind: string; spec: { template: { spec: PodOf } } })
      .find(({ kind }) => kind === 'StatefulSet')!;
    const { containers, volumes } = set.spec.template.spec;
    const mounted = containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
    expect(mounted).toEqual(volumes.map(({ name }) => name));
    const ports = containers.flatMap((one) => one.ports.map(({ name }) => name));
    const asked = containers
      .flatMap((one) => [one.livenessProbe, one.readinessProbe])
      .map((one) => one.httpGet.port);
    expect(asked.filter((port) => !ports.includes(port))).toEqual([]);
  });
});

interface PodOf {
  volumes: { name: string }[];
  containers: {
    ports: { name: string }[];
    volumeMounts: { name: string }[];
    livenessProbe: { httpGet: { port: string } };
    readinessProbe: { httpGet: { port: string } };
  }[];
}
