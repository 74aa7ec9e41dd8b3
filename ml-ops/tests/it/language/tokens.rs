//! The tokenizer of a real model.

use std::{fs::File, path::Path};

use opml_ops::{gguf::Gguf, language::Tokenizer};

#[test]
fn ids_are_those_of_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/data/real/models/smollm2-135m-q4_1.gguf");
    let Ok(file) = File::open(&path) else {
        eprintln!("SKIPPED: {} is not there; `python3 fixtures/real/fetch.py` brings it", path.display());
        return;
    };
    let tokenizer = Tokenizer::from_gguf(&Gguf::open(file).unwrap()).unwrap();
    assert_eq!((tokenizer.len(), tokenizer.ends()), (49152, &[0, 2][..]));
    // By the Python package `tokenizers` 0.23 from the same vocabulary and merges, after single digits and byte level cuts.
    let cases: [(&str, &[u32]); 6] = [
        ("The capital of France is", &[504, 3575, 282, 4649, 314]),
        ("<|im_start|>user\nHi<|im_end|>\n", &[1, 4093, 198, 26843, 2, 198]),
        (
            "don't  stop\n\n12345 naïve 日本語 🙂",
            &[
                12420, 982, 216, 2853, 1116, 33, 34, 35, 36, 37, 15486, 46494, 17097, 241, 115, 40993, 179, 120, 248,
                47526,
            ],
        ),
        ("\tfn main() {\r\n}", &[197, 7853, 1085, 1000, 1662, 201, 198, 109]),
        ("It's   3.14e-5;   x_y ", &[1589, 506, 333, 35, 30, 33, 36, 85, 29, 37, 43, 256, 1792, 79, 105, 216]),
        ("I'LL we'Re", &[57, 23, 16421, 392, 23, 3733]),
    ];
    for (text, ids) in cases {
        assert_eq!(tokenizer.encode(text, true), ids, "{text:?}");
        // Control tokens have no bytes.
        let plain = text.replace("<|im_start|>", "").replace("<|im_end|>", "");
        assert_eq!(tokenizer.decode(ids), plain);
    }
    assert_eq!(tokenizer.decode(&[7042, 30, 198, 198, 504]), " Paris.\n\nThe");
}
