//! Model files on a disk that others change, and caches that are old, damaged, forged or cannot be written.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    io::{Seek as _, SeekFrom, Write as _},
    os::unix::fs::PermissionsExt as _,
    time::Duration,
};

use opml_ops::engine::Engine;
use opml_vm::{
    DType, Opcode, Reducer, Source, Tensor,
    interpreter::Stop,
    testing::{Build, fixed},
    witness::{Openings, Question},
};

use super::*;
use crate::files::write_private;

/// Bytes of the constant that the program reads: many kept nodes, the last of them over a part of a leaf.
const BYTES: u32 = (1 << 21) + 77;

/// One element, the sum of four bytes of a constant.
fn program() -> Program {
    let sum = Build::new(DType::I32, Reducer::Sum, &[1], &[4])
        .load(Source::Constant(1), 0, &[fixed(BYTES, 9, &[(9, 400_000)])])
        .done();
    let bytes =
        |many: u32| Tensor::from_values(DType::U8, &(0..many.into()).map(|n: i64| n * 7 % 251).collect::<Vec<_>>());
    let constants = vec![bytes(300).unwrap(), bytes(BYTES).unwrap(), Tensor::empty()];
    Program::new(vec![sum], constants, Vec::new(), 0, None).unwrap()
}

struct Place {
    folder: tempfile::TempDir,
    model: PathBuf,
    cache: Cache,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (model, cache) = (folder.path().join("large.opml"), Cache::at(folder.path().join("cache")));
        fs::write(&model, model_file::write(&program())).unwrap();
        Self { folder, model, cache }
    }

    fn hashed(&self) -> (Model, Kept) {
        Model::open(&self.model).unwrap().hashed(&self.cache).unwrap()
    }

    /// The only file of the cache.
    fn kept(&self) -> PathBuf {
        let mut files = fs::read_dir(self.folder.path().join("cache")).unwrap();
        let file = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none());
        file
    }

    /// Changes one byte of the model in its place, and says that nothing was changed.
    fn alter(&self, at: u64) {
        let times = self.model.metadata().unwrap();
        let mut file = File::options().read(true).write(true).open(&self.model).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&[255]).unwrap();
        file.set_times(fs::FileTimes::new().set_modified(times.modified().unwrap())).unwrap();
    }
}

/// A witness of the program's only step, by its kept hashes.
fn witness(program: &Program) -> Option<Vec<u8>> {
    let trace = Engine::compile(program);
    let trace = Hasher::current().run(&trace, &[], Stop::Exactly(1), 1 << 20).unwrap();
    Hasher::current().openings(program, &[], &trace).witness(0, 0, Question::Element { e: 0 })
}

#[test]
fn a_copy_in_memory_is_guarded_like_a_mapped_file() {
    let place = Place::new();
    let (mapped, copied) = (Model::open(&place.model).unwrap(), Model::open_in_memory(&place.model).unwrap());
    assert_eq!(copied.program, mapped.program);
    assert_eq!(copied.stamp, mapped.stamp);
    assert!(copied.guard.check().is_ok());
    fs::OpenOptions::new().write(true).open(&place.model).unwrap().set_len(9).unwrap();
    // The copy is what it was, but nobody can compare it with the file any more.
    assert_eq!(Engine::compile(&copied.program).run(&[], Stop::Exactly(1), 9).unwrap().length, 1);
    assert!(matches!(copied.guard.check(), Err(ProverError::Changed { .. })));
    let missing = place.folder.path().join("missing.opml");
    assert!(matches!(Model::open_in_memory(&missing), Err(ProverError::Read { .. })));
}

#[test]
fn a_mapped_model_is_the_one_that_was_written() {
    let (place, program) = (Place::new(), program());
    let (first, kept) = place.hashed();
    assert_eq!((&first.program, kept), (&program, Kept::Written));
    let (second, kept) = place.hashed();
    assert_eq!((&second.program, kept), (&program, Kept::Found));
    for model in [&first, &second] {
        assert_eq!(Hasher::current().model_roots(&model.program), program.roots());
        assert!(is_as_hashed(&model.program));
        let own = opml_vm::Trace::new(&program, opml_vm::interpreter::run(&program, &[], Stop::Exactly(1), 9).unwrap());
        let expected = Openings::new(&program, &[], &own).witness(0, 0, Question::Element { e: 0 });
        assert!(expected.is_some());
        assert_eq!(witness(&model.program), expected);
        model.guard.check().unwrap();
    }
    // 32 bytes for each 16 KiB.
    assert!(fs::metadata(place.kept()).unwrap().len() < u64::from(BYTES) / 250);
    assert_eq!(fs::metadata(place.kept()).unwrap().permissions().mode() & 0o777, 0o600);
    // Without a cache nothing is written.
    let none = Model::open(&place.model).unwrap().hashed(&Cache::none()).unwrap();
    assert!(matches!(none.1, Kept::Not(why) if why.contains("no cache")));
}

#[test]
fn a_cache_that_is_damaged_or_cut_is_made_again() {
    let place = Place::new();
    let root = program().roots().model;
    place.hashed();
    let good = fs::read(place.kept()).unwrap();
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        let cut = good[..at].to_vec();
        for bytes in [damaged, cut, [good.as_slice(), &[0]].concat()] {
            fs::write(place.kept(), bytes).unwrap();
            let (model, kept) = place.hashed();
            assert_eq!(kept, Kept::Written, "byte {at}");
            assert_eq!(Hasher::current().model_roots(&model.program).model, root);
            assert_eq!(fs::read(place.kept()).unwrap(), good);
        }
    }
}

#[test]
fn a_model_that_changed_has_new_hashes_and_new_results() {
    let place = Place::new();
    let (before, _) = place.hashed();
    place.alter(200_000);
    // The time of the last change that anybody can set is the old one: who had it open cannot know, who opens it does.
    let (after, kept) = place.hashed();
    assert_eq!(kept, Kept::Written);
    assert!(is_as_hashed(&after.program));
    assert_ne!(Hasher::current().model_roots(&after.program).model, program().roots().model);
    // The old hashes are not those of what is there now, and that is found before a bond rests on them.
    assert!(!is_as_hashed(&before.program));
}

#[test]
fn a_change_under_an_open_model_is_noticed() {
    for change in [0, 1, 2] {
        let place = Place::new();
        let (model, _) = place.hashed();
        model.guard.check().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        match change {
            0 => fs::OpenOptions::new().append(true).open(&place.model).unwrap().write_all(&[1]).unwrap(),
            // Nothing of what is gone is read, or this process would end.
            1 => fs::OpenOptions::new().write(true).open(&place.model).unwrap().set_len(1000).unwrap(),
            _ => {
                let mut file = fs::OpenOptions::new().write(true).open(&place.model).unwrap();
                file.write_all(b"opML").unwrap();
            }
        }
        let error = model.guard.check().unwrap_err();
        assert!(matches!(&error, ProverError::Changed { path } if *path == place.model), "{error}");
        assert!(error.to_string().contains("start again"));
        assert!(model.hashed(&Cache::none()).is_err());
    }
    // One that is put in its place leaves the old one as it was.
    let place = Place::new();
    let (model, _) = place.hashed();
    files::write(&place.model, b"another").unwrap();
    model.guard.check().unwrap();
    assert!(is_as_hashed(&model.program));
    assert!(Model::open(&place.model).is_err());
}

#[test]
fn files_that_are_no_models_are_refused_with_their_place() {
    let place = Place::new();
    let whole = fs::read(&place.model).unwrap();
    for length in [0, 4, 40, 400, whole.len() / 2, whole.len() - 1] {
        fs::write(&place.model, &whole[..length]).unwrap();
        let error = Model::open(&place.model).unwrap_err();
        assert!(matches!(error, ProverError::Model { .. }), "{error}");
    }
    fs::write(&place.model, [whole.as_slice(), &[0]].concat()).unwrap();
    assert!(Model::open(&place.model).unwrap_err().to_string().contains("large.opml"));
    let missing = place.folder.path().join("missing.opml");
    assert!(matches!(Model::open(&missing), Err(ProverError::Read { .. })));
    assert!(matches!(Model::open(place.folder.path()), Err(ProverError::Folder { .. })));
}

#[test]
fn a_cache_that_cannot_be_written_costs_time_only() {
    let place = Place::new();
    let file = place.folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let (model, kept) = Model::open(&place.model).unwrap().hashed(&Cache::at(file.join("cache"))).unwrap();
    assert!(matches!(&kept, Kept::Not(why) if why.contains("cannot be written")), "{kept:?}");
    assert_eq!(Hasher::current().model_roots(&model.program), program().roots());
    // A disk that is full before the end leaves what was there.
    let target = place.folder.path().join("cache/whole");
    write_private(&target, b"old").unwrap();
    fs::create_dir(place.folder.path().join(format!("cache/whole.{}.part", std::process::id()))).unwrap();
    assert!(write_private(&target, b"new").is_err());
    assert_eq!(fs::read(&target).unwrap(), b"old");
}

#[test]
fn a_cache_that_others_may_write_is_not_read() {
    let place = Place::new();
    place.hashed();
    for (path, mode, usual) in [(place.kept(), 0o622, 0o600), (place.folder.path().join("cache"), 0o777, 0o700)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (model, kept) = place.hashed();
        assert_ne!(kept, Kept::Found);
        assert_eq!(Hasher::current().model_roots(&model.program), program().roots());
        fs::set_permissions(&path, fs::Permissions::from_mode(usual)).unwrap();
        place.hashed();
        assert_eq!(place.hashed().1, Kept::Found);
    }
}

#[test]
fn a_forged_cache_opens_nothing_and_is_found_before_a_bond() {
    let place = Place::new();
    place.hashed();
    // Whoever may write to the cache makes it right in itself: only the weights say otherwise.
    let stamp = Stamp::of(&place.model.metadata().unwrap()).unwrap();
    let mut other = program().constants().to_vec();
    let mut bytes = other[1].bytes().to_vec();
    bytes[0] ^= 1;
    other[1] = Tensor::new(DType::U8, BYTES.into(), bytes).unwrap();
    let other = Program::new(program().instructions().to_vec(), other, Vec::new(), 0, None).unwrap();
    let forged = program().with_trees(Hasher::current().hashed(other.clone()).trees().unwrap().to_vec());
    assert_eq!(place.cache.keep(&place.model, &stamp, &forged), Kept::Written);
    let (model, kept) = place.hashed();
    assert_eq!(kept, Kept::Found);
    assert_eq!(Hasher::current().model_roots(&model.program), other.roots(), "the forger's root");
    assert!(!is_as_hashed(&model.program));
    // The step reads a byte of the block with the wrong hash.
    assert_eq!(witness(&model.program), None);
    assert!(witness(&program()).is_some());
}

#[test]
fn a_file_is_small_or_mapped() {
    let place = Place::new();
    assert!(Model::open(&place.model).unwrap().stamp.is_some());
    let small = place.folder.path().join("small.opml");
    let sum = Build::each(DType::I32, &[1]).constants(&[1]).op(Opcode::Add, [18, 18, 0]).done();
    let program = Program::new(vec![sum], Vec::new(), Vec::new(), 0, None).unwrap();
    fs::write(&small, model_file::write(&program)).unwrap();
    let (model, kept) = Model::open(&small).unwrap().hashed(&place.cache).unwrap();
    assert_eq!((model.program, kept), (program, Kept::Small));
}
