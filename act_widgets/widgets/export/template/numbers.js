// Numbers as Python writes them.

// "{:.nf}": a tie goes to the even digit.
function fixed(value, places) {
  const usual = value.toFixed(places);
  const exact = Math.abs(value).toFixed(Math.min(100, places + 40));
  const cut = exact.length - 40;
  if (!/^50*$/.test(exact.slice(cut))) return usual;
  const down = exact.slice(0, cut).replace(/\.$/, "");
  return Number(down[down.length - 1]) % 2 ? usual : (value < 0 ? "-" : "") + down;
}

// "{:.3g}"
function general(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa, power] = value.toExponential(2).split("e").map(Number);
  if (power >= -4 && power < 3) return String(Number(fixed(value, 2 - power)));
  return `${even(value, mantissa, power)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

// The mantissa where a value lies in the middle between two: `toExponential` takes the larger one.
function even(value, mantissa, power) {
  const half = 5 * 10 ** (power - 3);
  const isTie = power >= 3 && Math.abs(value) % (2 * half) === half;
  const last = Math.round(Math.abs(mantissa) * 100);
  return isTie && last % 2 ? (Math.sign(value) * (last - 1)) / 100 : mantissa;
}

function number(value) {
  return general(value).replace("e+0", "e").replace("e-0", "e-");
}

function percent(value) {
  return Number.isFinite(value) ? `${fixed(100 * value, 1)}%` : `${general(value)}%`;
}
