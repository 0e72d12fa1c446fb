// A model in onnxruntime-web: one batch in JSON a line, and its scores in a line.
import * as ort from "onnxruntime-web";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(await readFile(process.argv[2]));
const [input] = session.inputNames;
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { shape, values } = JSON.parse(line);
    const given = new ort.Tensor("float32", Float32Array.from(values), shape);
    const { scores } = await session.run({ [input]: given });
    answer = { shape: scores.dims, values: Array.from(scores.data) };
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}
