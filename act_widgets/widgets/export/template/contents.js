// What the file holds: one block for each layer, and for each class, of a sample.

const unpacked = new Map(); // the newest last

async function unpack(id) {
  if (!unpacked.has(id)) {
    const stream = new Blob([bytesOf($(id).textContent)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    unpacked.set(id, new Response(stream).arrayBuffer());
    if (unpacked.size > 24) unpacked.delete(unpacked.keys().next().value);
  }
  return unpacked.get(id);
}

async function layerOf(sample, index) {
  const { channels: n, height, width } = data.layers[index];
  const buffer = await unpack(`m${data.samples[sample].number}-${index}`);
  let at = 0;
  const take = (kind, count) => {
    const size = count * kind.BYTES_PER_ELEMENT;
    at += size;
    return new kind(buffer.slice(at - size, at));
  };
  return {
    levels: take(Uint8Array, n * height * width),
    low: take(Float64Array, n + 1), high: take(Float64Array, n + 1), // the last ones are of all pictures
    mean: take(Float64Array, n), zeros: take(Uint8Array, n), lost: take(Float32Array, n),
    first: take(Float64Array, n + 1), last: take(Float64Array, n + 1),
    counts: take(Uint32Array, (n + 1) * BINS),
  };
}

async function overlayOf(sample, target, index) {
  const buffer = await unpack(`a${data.samples[sample].number}-${target}`);
  const length = new DataView(buffer).getUint32(0, true);
  const { at, maps } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let start = 4 + length;
  for (const map of maps.slice(0, at[index])) start += map.h * map.w;
  const map = maps[at[index]];
  return { ...map, levels: new Uint8Array(buffer, start, map.h * map.w) };
}

const values = data.samples.map((sample) => new Float32Array(bytesOf(sample.values).buffer));

function bestFirst(sample) {
  if (data.units === 1) {
    const [against, pro] = values[sample];
    return !data.probabilities || pro >= against ? [1, 0] : [0, 1];
  }
  const known = (unit) => (Number.isNaN(values[sample][unit]) ? -Infinity : values[sample][unit]);
  return [...values[sample].keys()].sort((a, b) => known(b) - known(a) || a - b);
}
