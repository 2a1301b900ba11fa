import { createHash } from 'node:crypto';
import { ODD_BYTES, sample, type KeyNames, type SampleTemplate } from './template.js';

const TWO_WRITES = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('INCR', KEYS[2])";
const ONE_WRITE = "return redis.call('SPOP', KEYS[1])";
const ONE_WRITE_SHA = createHash('sha1').update(ONE_WRITE).digest('hex');

/** `FUNCTION DUMP` of a library `restored`, by a Redis 7.0 (RDB version 10). */
const DUMPED_LIBRARY = Buffer.from(
  'f5c3404740501323216c7561206e616d653d726573746f7265640a20031569732e72656769737465725f66756e6374696f6e2827c02102272c20e000140e292072657475726e203120656e64290a007cda1d2b7fed8a58',
  'hex',
);

/** A library named after the sample's key. Its one function has the same name and writes the key it is given. */
function library(key: KeyNames): { name: string; code: string } {
  const name = key().replaceAll(/\W/g, '_');
  return {
    name,
    code: `#!lua name=${name}\nredis.register_function('${name}', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)`,
  };
}

export const MESSAGE_AND_SCRIPT_SAMPLES: readonly SampleTemplate[] = [
  sample('PUBLISH', (key) => [['PUBLISH', key(), 'message']]),
  sample('PUBLISH', (key) => [['PUBLISH', key(), ODD_BYTES]], { about: 'binary' }),
  sample('SPUBLISH', (key) => [['SPUBLISH', key(), 'message']]),
  sample('FUNCTION LOAD', (key) => [['FUNCTION', 'LOAD', library(key).code]]),
  sample(
    'FUNCTION LOAD',
    (key) => [
      ['FUNCTION', 'LOAD', library(key).code],
      ['FUNCTION', 'LOAD', 'REPLACE', library(key).code],
    ],
    { about: 'REPLACE' },
  ),
  sample('FUNCTION DELETE', (key) => [
    ['FUNCTION', 'LOAD', library(key).code],
    ['FUNCTION', 'DELETE', library(key).name],
  ]),
  sample(
    'FUNCTION FLUSH',
    (key) => [
      ['FUNCTION', 'LOAD', library(key).code],
      ['FUNCTION', 'FLUSH'],
    ],
    { wide: true },
  ),
  sample('FUNCTION RESTORE', () => [['FUNCTION', 'RESTORE', DUMPED_LIBRARY, 'REPLACE']], { wide: true }),
  sample('SCRIPT LOAD', () => [['SCRIPT', 'LOAD', "return 'loaded'"]], {
    wide: true,
    quietSince: 'redis 7.0, valkey 7.2',
  }),
  sample('SCRIPT FLUSH', () => [['SCRIPT', 'FLUSH']], { wide: true, quietSince: 'redis 7.0, valkey 7.2' }),
  sample('EVAL', (key) => [['EVAL', TWO_WRITES, '2', key(), key('b'), 'value']], { about: 'two writes' }),
  sample(
    'EVALSHA',
    (key) => [
      ['SCRIPT', 'LOAD', ONE_WRITE],
      ['SADD', key(), 'a', 'b'],
      ['EVALSHA', ONE_WRITE_SHA, '1', key()],
    ],
    { about: 'one write' },
  ),
  sample('FCALL', (key) => [
    ['FUNCTION', 'LOAD', library(key).code],
    ['FCALL', library(key).name, '1', key(), '5'],
  ]),
];
