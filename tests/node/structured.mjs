// What structured-headers reads in fields: a second opinion on RFC 9651.
//
// In:  [{"type": "item" | "list" | "dictionary", "field"}…]
// Out: [its canonical spelling, or null when it is refused…]
import { readFileSync } from 'node:fs';
import {
  parseDictionary, parseItem, parseList, serializeDictionary, serializeItem, serializeList,
} from 'structured-headers';

const types = {
  item: [parseItem, serializeItem],
  list: [parseList, serializeList],
  dictionary: [parseDictionary, serializeDictionary],
};

function spell({ type, field }) {
  const [parse, serialize] = types[type];
  let value;
  try {
    value = parse(field);
  } catch {
    return null;
  }
  return serialize(value);
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(spell)));
