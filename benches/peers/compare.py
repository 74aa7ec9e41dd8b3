#!/usr/bin/env python3
"""The comparison itself; run.py sets up its environment and calls it."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime import quantization

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "peers"
sys.path[:0] = [str(ROOT / "fixtures" / "real"), str(ROOT / "fixtures")]

import check as real  # noqa: E402
from models import MODELS, Model  # noqa: E402

OPML = ROOT / "target" / "release" / "opml"
TIMER = ROOT / "target" / "release" / "inference"
PEERS = WORK / "native" / "release" / "opml-peers"


def fixture(name, shape):
    """A model of fixtures/models/ as a model of the table."""
    return Model(source=None, licence="", shapes={"input": shape}, output="logits", decision="largest", encodings={"input": "u8:1/255"})


FIXTURES = {
    "mlp-fashion": fixture("mlp-fashion", (1, 784)),
    "lenet-fashion": fixture("lenet-fashion", (1, 1, 28, 28)),
}


GEMM = (128, 1024, 1024)


def product(shape):
    """A product of a matrix with constant weights as a case: its file, a sample and calibration samples."""
    rows, terms, columns = shape
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 0.05, (terms, columns)).astype(np.float32)
    port = lambda name, extent: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (rows, extent))
    node = onnx.helper.make_node("MatMul", ["input", "weights"], ["output"])
    constants = [onnx.numpy_helper.from_array(weights, "weights")]
    graph = onnx.helper.make_graph([node], "product", [port("input", terms)], [port("output", columns)], constants)
    path = WORK / "gemm.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    model = Model(source=None, licence="", shapes={"input": (rows, terms)}, output="output", decision="values", encodings={"input": "i8:1/127"})
    return path, model, rng.uniform(-1, 1, (9, rows, terms)).astype(np.float32)


class Case:
    """A model with one sample as input, its calibration samples, and how many samples are one inference."""

    def __init__(self, name, batch=1):
        self.name, self.batch = name, batch
        if name in FIXTURES:
            self.model = FIXTURES[name]
            self.onnx = ROOT / "fixtures" / "models" / f"{name}.onnx"
            pictures = np.load(ROOT / "fixtures" / "samples" / "fashion_images.npy").astype(np.float32) / 255
            rows = pictures.reshape(-1, *self.model.shapes["input"])
            self.samples = {"input": rows[:batch]}
            self.calibration = {"input": rows[128:160]}
        elif name == "gemm":
            self.onnx, self.model, arrays = product(GEMM)
            self.samples, self.calibration = {"input": arrays[:1]}, {"input": arrays[1:]}
        else:
            self.model = MODELS[name]
            self.onnx = real.REAL / "models" / f"{name}.onnx"
            self.samples = {key: value[:batch] for key, value in real.arrays(name, "samples").items()}
            self.calibration = real.arrays(name, "calibration")

    @property
    def label(self):
        if self.name == "gemm":
            return "gemm " + "×".join(map(str, GEMM))
        return self.name if self.batch == 1 else f"{self.name} ×{self.batch}"

    def feed(self):
        """The inputs of one inference; a batch takes the place of the first extent of 1."""
        return {key: value.reshape(value.shape[0] * value.shape[1], *value.shape[2:]) for key, value in self.samples.items()}


def least(seconds, run):
    """Least milliseconds of a run within so many seconds."""
    run()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def session(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def batched(path, case, scratch):
    """The model with an open first extent, where a batch needs it."""
    if case.batch == 1:
        return path
    model = onnx.load(path)
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    target = scratch / "batched.onnx"
    onnx.save(model, target)
    return target


class Reader(quantization.CalibrationDataReader):
    """Calibration samples for ONNX Runtime's quantiser."""

    def __init__(self, case):
        count = len(next(iter(case.calibration.values())))
        self.feeds = iter([{key: value[k] for key, value in case.calibration.items()} for k in range(count)])

    def get_next(self):
        return next(self.feeds, None)


def int8_files(path, case, scratch):
    """The quantised forms that ONNX Runtime makes of a model: kind and file."""
    prepared = scratch / "prepared.onnx"
    try:
        quantization.shape_inference.quant_pre_process(path, prepared, skip_symbolic_shape=True)
    except Exception:  # the quantiser takes the model as it is, then
        prepared = path
    files = []
    for kind in ("static", "dynamic"):
        target = scratch / f"{kind}.onnx"
        try:
            if kind == "static":
                quantization.quantize_static(
                    prepared,
                    target,
                    Reader(case),
                    quant_format=quantization.QuantFormat.QDQ,
                    activation_type=quantization.QuantType.QUInt8,
                    weight_type=quantization.QuantType.QInt8,
                    per_channel=True,
                )
            else:
                quantization.quantize_dynamic(prepared, target, weight_type=quantization.QuantType.QInt8, per_channel=True)
            files.append((kind, target))
        except Exception as error:
            print(f"  ONNX Runtime {kind} int8 of {case.name}: {str(error).splitlines()[0][:150]}", file=sys.stderr)
    return files


def runtime(case, threads, seconds, scratch):
    """Milliseconds of ONNX Runtime: f32, and the better int8."""
    path = batched(case.onnx, case, scratch)
    feed = case.feed()

    def of(file):
        s = session(file, threads)
        return least(seconds, lambda: s.run([case.model.output], feed))

    f32 = of(path)
    times = []
    for kind, file in int8_files(case.onnx, case, scratch):
        try:
            times.append((of(batched(file, case, scratch)), kind))
        except Exception as error:
            print(f"  ONNX Runtime {kind} int8 of {case.name}: {str(error).splitlines()[0][:150]}", file=sys.stderr)
    return f32, min(times, default=(None, None))


def native(name, case, threads, seconds, scratch):
    """Milliseconds of tract or rten; none if it cannot run the model."""
    if case.batch != 1:
        return None
    if not PEERS.exists():
        print(f"  {name} is not built (run.py builds it)", file=sys.stderr)
        return None
    words = []
    for number, (key, value) in enumerate(case.feed().items()):
        kind = {"float32": "f32", "int32": "i32", "int64": "i64"}[str(value.dtype)]
        (scratch / f"{number}.raw").write_bytes(np.ascontiguousarray(value).tobytes())
        words.append(f"{key}:{kind}:{'x'.join(map(str, value.shape))}:{scratch / f'{number}.raw'}")
    command = [PEERS, name, case.onnx, case.model.output, threads, seconds, *words]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"  {name} on {case.name}: {done.stderr.strip().splitlines()[0][:150]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)["least_ms"]


def stored(case, report, scratch):
    """The samples as the program's integers."""
    files = []
    for number, port in enumerate(report["inputs"]):
        kind = real.KINDS[port["dtype"]]
        limits = np.iinfo(kind)
        integers = np.round(case.samples[port["name"]].astype(np.float64) / port["scale"]) + port["zero_point"]
        np.save(scratch / f"{number}.npy", np.clip(integers, limits.min, limits.max).astype(kind))
        files.append(scratch / f"{number}.npy")
    return files


def ours(case, threads, seconds, scratch):
    """Milliseconds of `opml`: the plain run, the run with what a lazy claim posts, the run with its trace root."""
    target = scratch / "model.opml"
    words = ["import", case.onnx, "-o", target, "--output-name", case.model.output]
    for key, shape in case.model.shapes.items():
        file = scratch / f"calibration-{key.replace('/', '_')}.npy"
        np.save(file, case.calibration[key])
        words += ["--shape", f"{key}={'x'.join(map(str, shape))}", "--calibration", f"{key}={file}"]
    for key, encoding in case.model.encodings.items():
        words += ["--encoding", f"{key}={encoding}"]
    report = real.opml(OPML, *words, *case.model.options)
    command = [TIMER, target, *stored(case, report, scratch), "--threads", threads, "--seconds", seconds, "--batch", case.batch]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measure(case, threads, seconds):
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        own = ours(case, threads, seconds, scratch)
        f32, (int8, kind) = runtime(case, threads, seconds, scratch)
        return {
            "model": case.label,
            "threads": threads,
            "opml_ms": own["run_ms"],
            # With what a claim posts; with a hash of the output besides, as leaves of batches have it.
            "lazy_ratio": own["lazy_ms"] / own["run_ms"],
            "digest_ratio": own["digest_ms"] / own["run_ms"],
            "commit_ratio": own["commit_ms"] / own["run_ms"],
            # The least that it can be: the hashes alone, at the rate measured in the same run.
            "commit_floor": 1 + own["hash_floor_ms"] / own["run_ms"],
            "ort_int8_ms": int8,
            "ort_int8_kind": kind,
            "ort_f32_ms": f32,
            "tract_f32_ms": native("tract", case, threads, seconds, scratch),
            "rten_f32_ms": native("rten", case, threads, seconds, scratch),
        }


HEADINGS = ("model", "threads", "opml ms", "ORT int8 ms", "ratio", "ORT f32 ms", "ratio", "tract", "ratio", "rten", "ratio", "lazy", "digest", "commit", "floor")


def line(row):
    cells = [row["model"], str(row["threads"]), f"{row['opml_ms']:.3f}"]
    for key in ("ort_int8_ms", "ort_f32_ms", "tract_f32_ms", "rten_f32_ms"):
        value = row[key]
        cells += ["–", "–"] if value is None else [f"{value:.3f}", f"{value / row['opml_ms']:.2f}×"]
    return [*cells, f"{row['lazy_ratio']:.3f}×", f"{row['digest_ratio']:.3f}×", f"{row['commit_ratio']:.2f}×", f"{row['commit_floor']:.2f}×"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cases = [Case("mlp-fashion"), Case("mlp-fashion", 100), Case("lenet-fashion"), Case("lenet-fashion", 100)]
    cases += [Case("gemm"), *(Case(name) for name in MODELS)]
    chosen = [case for case in cases if not arguments.names or case.name in arguments.names]
    rows = []
    print("| " + " | ".join(HEADINGS) + " |\n|" + "---|" * len(HEADINGS))
    for case in chosen:
        for threads in map(int, arguments.threads.split(",")):
            rows.append(measure(case, threads, arguments.seconds))
            print("| " + " | ".join(line(rows[-1])) + " |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"onnxruntime": ort.__version__, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
