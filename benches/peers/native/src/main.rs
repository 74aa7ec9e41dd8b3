//! Times one inference of an ONNX file by another runtime.
//!
//!     opml-peers tract|rten MODEL OUTPUT THREADS SECONDS NAME:TYPE:SHAPE:FILE...
//!
//! TYPE is f32, i32 or i64, SHAPE is 1x3x48x192, FILE holds the raw little-endian elements. Prints one JSON object with the least and the
//! median milliseconds of an inference.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// An input: its name, shape and elements.
struct Input {
    name: String,
    shape: Vec<usize>,
    data: Data,
}

enum Data {
    F32(Vec<f32>),
    I32(Vec<i32>),
    I64(Vec<i64>),
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [runtime, model, output, threads, seconds, inputs @ ..] = words.as_slice() else {
        bail!("usage: opml-peers tract|rten MODEL OUTPUT THREADS SECONDS NAME:TYPE:SHAPE:FILE...");
    };
    let inputs = inputs.iter().map(|word| input(word)).collect::<Result<Vec<_>>>()?;
    let (threads, span) = (threads.parse()?, Duration::from_secs_f64(seconds.parse()?));
    let times = match runtime.as_str() {
        "tract" => tract(model, output, threads, span, &inputs)?,
        "rten" => rten(model, output, threads, span, &inputs)?,
        other => bail!("{other} is no runtime known here: tract, rten"),
    };
    println!("{{\"runs\": {}, \"least_ms\": {}, \"median_ms\": {}}}", times.len(), times[0], times[times.len() / 2]);
    Ok(())
}

fn input(word: &str) -> Result<Input> {
    let parts: Vec<&str> = word.rsplitn(4, ':').collect();
    let [file, shape, kind, name] = parts.as_slice() else { bail!("{word} is not NAME:TYPE:SHAPE:FILE") };
    let shape = shape.split('x').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let bytes = std::fs::read(file).with_context(|| (*file).to_owned())?;
    let data = match *kind {
        "f32" => Data::F32(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()),
        "i32" => Data::I32(bytes.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b)).collect()),
        "i64" => Data::I64(bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect()),
        other => bail!("{other} is no type known here: f32, i32, i64"),
    };
    Ok(Input { name: (*name).to_owned(), shape, data })
}

/// Sorted milliseconds of runs during `span`, three at least, after one that warms up.
fn timed(span: Duration, mut run: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    run()?;
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < 3 || start.elapsed() < span {
        let before = Instant::now();
        run()?;
        times.push(before.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn tract(model: &str, output: &str, threads: usize, span: Duration, inputs: &[Input]) -> Result<Vec<f64>> {
    use tract_onnx::{prelude::*, tract_core::internal::multithread};
    if threads > 1 {
        multithread::set_default_executor(multithread::Executor::multithread(threads));
    }
    let mut graph = tract_onnx::onnx().model_for_path(model)?;
    graph.select_outputs_by_name([output])?;
    let names: Vec<String> =
        graph.input_outlets()?.iter().map(|outlet| graph.node(outlet.node).name.clone()).collect();
    let mut tensors = TVec::new();
    for (number, name) in names.iter().enumerate() {
        let input = inputs.iter().find(|input| input.name == *name).with_context(|| format!("no input {name}"))?;
        let tensor = match &input.data {
            Data::F32(data) => Tensor::from_shape(&input.shape, data)?,
            Data::I32(data) => Tensor::from_shape(&input.shape, data)?,
            Data::I64(data) => Tensor::from_shape(&input.shape, data)?,
        };
        graph.set_input_fact(number, InferenceFact::dt_shape(tensor.datum_type(), input.shape.iter().copied().collect::<TVec<_>>()))?;
        tensors.push(tensor.into_tvalue());
    }
    let plan = graph.into_optimized()?.into_runnable()?;
    timed(span, || {
        black_box(plan.run(tensors.clone())?);
        Ok(())
    })
}

fn rten(model: &str, output: &str, threads: usize, span: Duration, inputs: &[Input]) -> Result<Vec<f64>> {
    use rten::{Model, RunOptions, ThreadPool, Value};
    use rten_tensor::Tensor;
    let model = Model::load_file(model)?;
    let output = model.node_id(output)?;
    let mut values = Vec::new();
    for input in inputs {
        let shape = input.shape.as_slice();
        // Indices are 32 bits wide there.
        let value: Value = match &input.data {
            Data::F32(data) => Tensor::from_data(shape, data.clone()).into(),
            Data::I32(data) => Tensor::from_data(shape, data.clone()).into(),
            Data::I64(data) => {
                let narrow = data.iter().map(|&v| i32::try_from(v)).collect::<Result<Vec<_>, _>>()?;
                Tensor::from_data(shape, narrow).into()
            }
        };
        values.push((model.node_id(&input.name)?, value));
    }
    let pool = std::sync::Arc::new(ThreadPool::with_num_threads(threads));
    timed(span, || {
        let feed = values.iter().map(|(id, value)| (*id, value.into())).collect();
        let options = RunOptions::default().with_thread_pool(Some(pool.clone()));
        black_box(model.run(feed, &[output], Some(options))?);
        Ok(())
    })
}
