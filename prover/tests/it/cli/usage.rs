//! Command lines that say nothing sensible.

use super::Folder;

#[test]
fn bad_command_lines_are_refused_in_one_line() {
    let folder = Folder::new();
    for (line, words) in [
        ("rnu", &["unrecognized subcommand 'rnu'", "`opml --help`"][..]),
        ("run", &["<MODEL>", "`opml run --help`"]),
        ("run model.opml", &["model.opml", "1 input"]),
        ("run model.opml -i picture.png --bogus", &["unexpected argument '--bogus'", "`opml run --help`"]),
        ("run model.opml -i picture.png --max-t 0", &["--max-t", "must be at least 1"]),
        ("run model.opml -i picture.png --max-t many", &["--max-t", "is not a number"]),
        ("run model.opml -i picture.png --budget -1", &["unexpected argument '-1'"]),
        ("inspect model.opml --max-t 0", &["--max-t", "must be at least 1"]),
        ("import model.onnx", &["--output"]),
        ("import model.onnx -o x --input-scale 1/0", &["--input-scale", "must be above 0"]),
        ("import model.onnx -o x --input-scale -2", &["-2"]),
        ("import model.onnx -o x --input-scale cat", &["`cat` is not a number"]),
        ("prove model.opml -i picture.png --step 7 -o p.json", &["--step", "must be I:E or T:I:E"]),
        ("prove model.opml -i picture.png --step a:b -o p.json", &["`a` is not a number"]),
        ("prove model.opml -i picture.png --step 4294967296:0 -o p.json", &["4294967296 is out of range"]),
        ("prove model.opml -i picture.png --step 0:0 --terms 9:9 -o p.json", &["K0 < K1"]),
        ("prove model.opml -i picture.png --step 0:0 --fault none -o p.json", &["`none` is not a fault"]),
        ("dispute model.opml -i picture.png --fault everywhere", &["`everywhere` is not a fault", "`from:I:E`"]),
        ("dispute model.opml -i picture.png --fault at:1", &["`at:1` is not a fault"]),
        ("dispute model.opml -i picture.png --fault at:0:0:0:0", &["is not a fault"]),
        ("dispute model.opml -i picture.png --fault at:0:-1", &["is not a fault"]),
        ("dispute model.opml -i picture.png --arity 3", &["--arity", "must be 2, 4, 8, 16, 32 or 64"]),
        ("dispute model.opml -i picture.png --arity 128", &["--arity"]),
        ("dispute model.opml -i picture.png --max-terms 0", &["--max-terms", "must be at least 1"]),
        ("demo --arity 1", &["--arity"]),
        ("eval", &["<ONNX>", "`opml eval --help`"]),
        ("eval model.onnx --images i.npy", &["--labels"]),
    ] {
        folder.refuses(line, words);
    }
}

#[test]
fn an_empty_command_line_brings_help_and_an_error_code() {
    let ran = Folder::new().opml("");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("Usage: opml [OPTIONS] <COMMAND>"), "{ran:?}");
}

#[test]
fn places_outside_the_run_are_named() {
    let folder = Folder::new();
    for (line, words) in [
        ("prove model.opml -i picture.png --step 9:0 -o p.json", "no instruction 9 at iteration 0"),
        ("prove model.opml -i picture.png --step 1:0:0 -o p.json", "no instruction 0 at iteration 1"),
        ("prove model.opml -i picture.png --step 18446744073709551615:1:0 -o p.json", "the run has 1 iteration"),
        ("prove model.opml -i picture.png --step 0:56 -o p.json", "no element 56: instruction 0 writes 56 elements"),
        ("prove model.opml -i picture.png --step 0:0 --terms 700:785 -o p.json", "reduces 784 terms"),
        ("prove model.opml -i picture.png --step 0:0 --fault at:5:0 -o p.json", "no iteration 0, instruction 5"),
        ("dispute model.opml -i picture.png --fault at:0:56", "no iteration 0, instruction 0, element 56"),
        ("dispute model.opml -i picture.png --fault from:1:0:0", "no iteration 1"),
        ("run model.opml -i picture.png --max-operations 1000", "number of operations is"),
        ("run model.opml -i picture.png --budget 65", "number of elements is 66, more than the limit 65; --budget"),
        ("run model.opml -i picture.png --reference --budget 65", "--budget raises the limit"),
        ("commit model.opml -i picture.png --budget 0", "--budget raises the limit"),
        ("dispute model.opml -i picture.png --budget 0", "--budget raises the limit"),
        ("run model.opml -i picture.png --max-t 1099511627776", "number of iterations is 1099511627776"),
    ] {
        folder.refuses(line, &["model.opml: ", words]);
    }
    folder.opml("run model.opml -i picture.png --budget 66").exits(0);
}

#[test]
fn every_kernel_tier_gives_the_same_roots() {
    let folder = Folder::new();
    let with = |tier: &str, line: &str| {
        let output = folder.command(line).env("OPML_KERNELS", tier).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let line = "commit model.opml -i picture.png --json";
    let (code, plain, _) = with("portable", line);
    assert_eq!(code, Some(0));
    for tier in opml_ops::tier::Tier::supported() {
        assert_eq!(with(tier.name(), line), (Some(0), plain.clone(), String::new()), "{}", tier.name());
    }
    let (code, stdout, stderr) = with("sse", line);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    let names = opml_ops::tier::Tier::ALL.map(opml_ops::tier::Tier::name).join(", ");
    assert_eq!(stderr, format!("opml: OPML_KERNELS is \"sse\", which is none of {names}\n"));
}
