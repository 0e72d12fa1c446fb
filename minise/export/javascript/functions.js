// What an exported module is made of beside its net: the operators of operators.py, for one picture.
// A value is { values, shape }: a Float32Array, and [height, width, channels], in this order in
// memory. Each operator writes its last argument, y; sums are in float64.

/**
 * The pixels that `predict` takes, of a canvas's ImageData, which has four numbers for each: red,
 * green, blue and alpha. Grey is 0.299 red + 0.587 green + 0.114 blue. What is transparent is black.
 */
export function pixelsOf({ width, height, data }) {
  const [H, W, C] = inputShape;
  if (width !== W || height !== H)
    throw new Error(
      `pixelsOf: got ${width} x ${height} pixels, expected ${W} x ${H}: ` +
        `draw the picture in that size with context.drawImage(picture, 0, 0, ${W}, ${H})`
    );
  const pixels = new Uint8ClampedArray(H * W * C); // it rounds
  for (let i = 0; i < H * W; i++) {
    const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
    const colours = C === 3 ? [red, green, blue] : [0.299 * red + 0.587 * green + 0.114 * blue];
    for (let c = 0; c < C; c++) pixels[C * i + c] = (colours[c] * alpha) / 255;
  }
  return pixels;
}

/**
 * Convolution with weight (filters, KH, KW, channels / groups): at each place, every filter's
 * product with the pixels of a window. What is outside of the picture is 0.
 */
function conv(x, weight, bias, y, options = {}) {
  const { strides = [1, 1], padding = [0, 0], dilations = [1, 1], groups = 1 } = options;
  const [H, W, C] = x.shape, [OH, OW, F] = y.shape, [, KH, KW, D] = weight.shape;
  const pixels = new Float32Array(KH * KW * D); // of the window
  for (let g = 0; g < groups; g++)
    for (let h = 0; h < OH; h++)
      for (let w = 0; w < OW; w++) {
        for (let i = 0, k = 0; i < KH; i++)
          for (let j = 0; j < KW; j++) {
            const row = h * strides[0] - padding[0] + i * dilations[0];
            const column = w * strides[1] - padding[1] + j * dilations[1];
            const inside = row >= 0 && row < H && column >= 0 && column < W;
            const at = (row * W + column) * C + g * D;
            for (let c = 0; c < D; c++, k++) pixels[k] = inside ? x.values[at + c] : 0;
          }
        const first = (g * F) / groups;
        products(pixels, weight.values, bias.values, y.values, (h * OW + w) * F, first, F / groups);
      }
}

/** A linear map with weight (outputs, inputs). */
function linear(x, weight, bias, y) {
  products(x.values, weight.values, bias.values, y.values, 0, 0, bias.values.length);
}

/**
 * y[at + f] = bias[f] + sum of x[k] * weight[f, k] over k, for `count` filters f from `first` on.
 * Four at a time, so that each x[k] is read once for four; past the last filter, it again.
 */
function products(x, weight, bias, y, at, first, count) {
  const size = x.length, last = first + count - 1;
  for (let f0 = first; f0 <= last; f0 += 4) {
    const f1 = Math.min(f0 + 1, last), f2 = Math.min(f0 + 2, last), f3 = Math.min(f0 + 3, last);
    const w0 = f0 * size, w1 = f1 * size, w2 = f2 * size, w3 = f3 * size;
    let s0 = bias[f0], s1 = bias[f1], s2 = bias[f2], s3 = bias[f3];
    for (let k = 0; k < size; k++) {
      const value = x[k];
      s0 += value * weight[w0 + k];
      s1 += value * weight[w1 + k];
      s2 += value * weight[w2 + k];
      s3 += value * weight[w3 + k];
    }
    y[at + f0] = s0;
    y[at + f1] = s1;
    y[at + f2] = s2;
    y[at + f3] = s3;
  }
}

/** The largest pixel of each window, channel by channel. */
function maxPool(x, y, { size, strides = [1, 1], padding = [0, 0] }) {
  const [H, W, C] = x.shape, [OH, OW] = y.shape;
  for (let h = 0, o = 0; h < OH; h++)
    for (let w = 0; w < OW; w++) {
      const top = h * strides[0] - padding[0], bottom = Math.min(top + size[0], H);
      const left = w * strides[1] - padding[1], right = Math.min(left + size[1], W);
      for (let c = 0; c < C; c++, o++) {
        let largest = -Infinity;
        for (let row = Math.max(top, 0); row < bottom; row++)
          for (let column = Math.max(left, 0); column < right; column++)
            largest = Math.max(largest, x.values[(row * W + column) * C + c]);
        y.values[o] = largest;
      }
    }
}

/** The mean of each window's pixels inside of the picture, channel by channel. */
function averagePool(x, y, { size, strides = [1, 1], padding = [0, 0] }) {
  const [H, W, C] = x.shape, [OH, OW] = y.shape;
  for (let h = 0, o = 0; h < OH; h++)
    for (let w = 0; w < OW; w++) {
      const top = h * strides[0] - padding[0], bottom = Math.min(top + size[0], H);
      const left = w * strides[1] - padding[1], right = Math.min(left + size[1], W);
      for (let c = 0; c < C; c++, o++) {
        let sum = 0, count = 0;
        for (let row = Math.max(top, 0); row < bottom; row++)
          for (let column = Math.max(left, 0); column < right; column++) {
            sum += x.values[(row * W + column) * C + c];
            count++;
          }
        y.values[o] = sum / count;
      }
    }
}

/** The mean of each channel: the squeeze of an SE block. */
function globalAveragePool(x, y) {
  const [H, W, C] = x.shape;
  for (let c = 0; c < C; c++) {
    let sum = 0;
    for (let i = c; i < H * W * C; i += C) sum += x.values[i];
    y.values[c] = sum / (H * W);
  }
}

/** The largest pixel of each channel. */
function globalMaxPool(x, y) {
  const [H, W, C] = x.shape;
  for (let c = 0; c < C; c++) {
    let largest = -Infinity;
    for (let i = c; i < H * W * C; i += C) largest = Math.max(largest, x.values[i]);
    y.values[c] = largest;
  }
}

/** a + b. Where one has size 1, that counts for the whole of the axis: so here and below. */
function add(a, b, y) {
  const [H, W, C] = y.shape, [ah, aw, ac] = steps(a), [bh, bw, bc] = steps(b);
  for (let h = 0, o = 0; h < H; h++)
    for (let w = 0; w < W; w++)
      for (let c = 0, i = h * ah + w * aw, j = h * bh + w * bw; c < C; c++, i += ac, j += bc)
        y.values[o++] = a.values[i] + b.values[j];
}

/** a * b: among others the scale of an SE block, with one gate for each channel. */
function multiply(a, b, y) {
  const [H, W, C] = y.shape, [ah, aw, ac] = steps(a), [bh, bw, bc] = steps(b);
  for (let h = 0, o = 0; h < H; h++)
    for (let w = 0; w < W; w++)
      for (let c = 0, i = h * ah + w * aw, j = h * bh + w * bw; c < C; c++, i += ac, j += bc)
        y.values[o++] = a.values[i] * b.values[j];
}

/** The larger of a and b. */
function maximum(a, b, y) {
  const [H, W, C] = y.shape, [ah, aw, ac] = steps(a), [bh, bw, bc] = steps(b);
  for (let h = 0, o = 0; h < H; h++)
    for (let w = 0; w < W; w++)
      for (let c = 0, i = h * ah + w * aw, j = h * bh + w * bw; c < C; c++, i += ac, j += bc)
        y.values[o++] = Math.max(a.values[i], b.values[j]);
}

/** How far neighbours along each axis are apart in memory; 0 along an axis of size 1. */
function steps({ shape: [H, W, C] }) {
  return [H > 1 ? W * C : 0, W > 1 ? C : 0, C > 1 ? 1 : 0];
}

function relu(x, y = x) {
  for (let i = 0; i < x.values.length; i++) {
    const value = x.values[i];
    y.values[i] = value < 0 ? 0 : value;
  }
}

function leakyRelu(alpha, x, y = x) {
  for (let i = 0; i < x.values.length; i++) {
    const value = x.values[i];
    y.values[i] = value < 0 ? alpha * value : value;
  }
}

function clip(low, high, x, y = x) {
  for (let i = 0; i < x.values.length; i++)
    y.values[i] = Math.min(Math.max(x.values[i], low), high);
}

function sigmoid(x, y = x) {
  for (let i = 0; i < x.values.length; i++) y.values[i] = 1 / (1 + Math.exp(-x.values[i]));
}

function tanh(x, y = x) {
  for (let i = 0; i < x.values.length; i++) y.values[i] = Math.tanh(x.values[i]);
}

function squareRoot(x, y = x) {
  for (let i = 0; i < x.values.length; i++) y.values[i] = Math.sqrt(x.values[i]);
}

function copy(x, y) {
  y.values.set(x.values);
}

/** Parts side by side; `rows` is the product of the sizes of the axes before the one they share. */
function concat(rows, parts, y) {
  for (let row = 0, o = 0; row < rows; row++)
    for (const { values } of parts) {
      const size = values.length / rows;
      y.values.set(values.subarray(row * size, (row + 1) * size), o);
      o += size;
    }
}

/** x, of this shape, with its axes in the order of `perm`. */
function transpose(shape, perm, x, y) {
  const step = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  for (let o = 0; o < y.values.length; o++) {
    let at = 0;
    for (let rest = o, k = perm.length - 1; k >= 0; k--) {
      at += (rest % shape[perm[k]]) * step[perm[k]];
      rest = Math.floor(rest / shape[perm[k]]);
    }
    y.values[o] = x.values[at];
  }
}

/** Numbers of an array from `offset` on, as a value of this shape. */
function part(array, offset, ...shape) {
  const size = shape.reduce((a, b) => a * b, 1);
  return { values: array.subarray(offset, offset + size), shape };
}

/** The numbers of a text: float32, little-endian, in base64. */
function decoded(text) {
  const letters = atob(text), view = new DataView(new ArrayBuffer(letters.length));
  for (let i = 0; i < letters.length; i++) view.setUint8(i, letters.charCodeAt(i)); // a byte each
  return new Float32Array(letters.length / 4).map((_, i) => view.getFloat32(4 * i, true));
}
