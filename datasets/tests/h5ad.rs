//! AnnData files, read and added to.
//!
//! `data/small.h5ad.gz` was written by anndata 0.12.19 (h5py 3.16.0, Python 3.11.7): `X` as `csr_matrix` of float32, layers `csc` of
//! int32, `dense` of float64 and `scaled`, half of it; columns of `obs` as the tests name them; `obsm["X_pca"]`,
//! `uns["note"]`; `write_h5ad(..., compression="gzip")`, with `anndata.settings.allow_write_nullable_strings`; then `gzip -9n`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use aais_datasets::{CountMatrix, CountOptions, LabelSource, read_counts, write_embedding};
use flate2::read::GzDecoder;
use hdf5_pure::{AttrValue, File, FileBuilder, Group};
use ndarray::{Array2, array};
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

fn small(folder: &TempDir) -> PathBuf {
    let mut bytes = Vec::new();
    GzDecoder::new(&include_bytes!("data/small.h5ad.gz")[..]).read_to_end(&mut bytes).unwrap();
    let path = folder.path().join("small.h5ad");
    fs::write(&path, bytes).unwrap();
    path
}

fn read(path: &Path, layer: Option<&str>, labels: Option<&str>) -> Result<CountMatrix, String> {
    let labels = labels.map_or(LabelSource::None, |column| LabelSource::Column(column.to_owned()));
    let options = CountOptions { layer: layer.map(str::to_owned), labels, ..CountOptions::default() };
    read_counts(path, &options).map_err(|error| error.to_string().replace(&path.display().to_string(), "PATH"))
}

#[test]
fn dense_and_compressed_matrices_hold_the_same_counts() {
    let folder = tempdir().unwrap();
    let path = small(&folder);
    let counts = read(&path, None, None).unwrap();
    assert_eq!(counts.genes(), ["Actb", "Sst", "Mbp", "Gad1"]);
    assert_eq!(counts.cells(), ["cell0", "cell1", "cell2", "cell3", "cell4"]);
    let expected = array![
        [0.0, 3.0, 1.0, 0.0],
        [2.0, 0.0, 0.0, 5.0],
        [0.0, 0.0, 0.0, 0.0],
        [1.0, 1.0, 70000.0, 0.0],
        [0.0, 4.0, 0.0, 9.0]
    ];
    assert_eq!(counts.to_dense(), expected);
    assert_eq!(read(&path, Some("csc"), None).unwrap(), counts);
    assert_eq!(read(&path, Some("dense"), None).unwrap(), counts);
}

#[test]
fn a_column_of_obs_labels_the_cells() {
    let folder = tempdir().unwrap();
    let path = small(&folder);
    let labels = |column| {
        let labels = read(&path, None, Some(column)).unwrap().labels().unwrap().clone();
        let names = labels.names().map(str::to_owned).collect::<Vec<_>>().concat();
        (labels.classes.concat(), names)
    };
    let of = |classes: &str, names: &str| (classes.to_owned(), names.to_owned());
    assert_eq!(labels("class"), of("cba", "babca")); // In the file's order, without the class of no cell.
    assert_eq!(labels("text"), of("xy", "xyxyx"));
    assert_eq!(labels("sure"), of("xy", "xyxyy")); // A nullable array of texts.
    assert_eq!(labels("batch"), of("12", "11222"));
}

#[test]
fn categories_may_be_in_a_group_of_their_own() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("old.h5ad");
    compressed(&path, &[1.0], &[0], &[0, 1, 1, 1]);
    let file = File::open_rw(&path).unwrap();
    file.root()
        .create_dataset("obs/kind", |codes| {
            codes.with_i8_data(&[1, 0, 1]);
        })
        .unwrap();
    file.root()
        .create_group_with("obs/__categories", |group| {
            group.create_dataset("kind", |names| {
                names.with_vlen_strings(&["x", "y"]);
            });
        })
        .unwrap();
    file.commit().unwrap();
    file.close().unwrap();
    let labels = read(&path, None, Some("kind")).unwrap().labels().unwrap().clone();
    assert_eq!(labels.names().collect::<Vec<_>>(), ["y", "x", "y"]);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let folder = tempdir().unwrap();
    let path = small(&folder);
    let message = |layer, labels| read(&path, layer, labels).unwrap_err();
    let missing = "row 2: expected a label of every cell, got none of `cell1`";
    assert_eq!(message(None, Some("gap")), format!("PATH, obs/gap, {missing}"));
    assert_eq!(message(None, Some("maybe")), format!("PATH, obs/maybe, {missing}"));
    assert_eq!(message(None, Some("score")), "PATH, obs/score: expected texts or whole numbers, got f64");
    assert!(message(None, Some("absent")).starts_with("cannot read PATH: obs/absent: "));
    assert!(message(Some("absent"), None).starts_with("cannot read PATH: layers/absent: "));
    assert_eq!(
        message(Some("scaled"), None),
        "PATH, layers/scaled, cell 1, gene 2: expected a raw count, a whole number from 0 to 4294967295, got `1.5`"
    );

    fs::write(&path, "cell,A\nc1,1\n").unwrap();
    assert_eq!(message(None, None), "PATH: expected an HDF5 file, got other bytes at its beginning");
    fs::write(&path, "").unwrap();
    assert_eq!(message(None, None), "PATH: expected an HDF5 file, got other bytes at its beginning");
}

/// A file of three cells and two genes with this matrix.
fn compressed(path: &Path, data: &[f32], indices: &[i32], indptr: &[i32]) {
    let text = |text: &str| AttrValue::VarLenString(text.to_owned());
    let mut file = FileBuilder::new();
    let mut x = file.create_group("X");
    x.set_attr("encoding-type", text("csr_matrix"));
    x.create_dataset("data").with_f32_data(data);
    x.create_dataset("indices").with_i32_data(indices);
    x.create_dataset("indptr").with_i32_data(indptr);
    file.add_group(x.finish());
    for (table, names) in [("obs", &["c1", "c2", "c3"][..]), ("var", &["A", "B"])] {
        let mut group = file.create_group(table);
        group.set_attr("_index", text("names"));
        group.create_dataset("names").with_vlen_strings(names);
        file.add_group(group.finish());
    }
    file.write(path).unwrap();
}

#[test]
fn a_compressed_matrix_must_be_whole() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("t.h5ad");
    let result = |data: &[f32], indices: &[i32], indptr: &[i32]| {
        compressed(&path, data, indices, indptr);
        read(&path, None, None)
    };
    let counts = result(&[4.0, 2.0, 0.0], &[1, 0, 1], &[0, 2, 2, 3]).unwrap(); // Columns in any order, zeros kept.
    assert_eq!(counts.to_dense(), array![[2.0, 4.0], [0.0, 0.0], [0.0, 0.0]]);

    let positions = "PATH, X/indptr: expected 4 rising positions of as many entries as there are columns, got others";
    for indptr in [&[0, 2, 3][..], &[0, 2, 2, 4], &[1, 2, 2, 3], &[0, 3, 2, 3], &[0, -1, 2, 3]] {
        assert_eq!(result(&[4.0, 2.0, 1.0], &[1, 0, 1], indptr).unwrap_err(), positions, "{indptr:?}");
    }
    assert_eq!(result(&[4.0, 2.0], &[1, 0, 1], &[0, 2, 2, 2]).unwrap_err(), positions);
    for column in [2, -1, i32::MAX] {
        let message = result(&[4.0], &[column], &[0, 1, 1, 1]).unwrap_err();
        assert_eq!(message, format!("PATH, X, cell 1: expected 2 genes, got position {column} from zero"));
    }
    let message = result(&[4.0, 2.0], &[1, 1], &[0, 0, 2, 2]).unwrap_err();
    assert_eq!(message, "PATH, X, cell 2: expected one entry for a gene and a cell, got two");
    for (value, name) in [(-1.0, "-1"), (0.5, "0.5"), (f32::NAN, "NaN"), (5e9, "5000000000")] {
        let message = result(&[value], &[0], &[0, 1, 1, 1]).unwrap_err();
        assert!(message.ends_with(&format!(
            "cell 1, gene 1: expected a raw count, a whole number from 0 to 4294967295, got `{name}`"
        )));
    }
}

/// Every data set's shape and bytes and every attribute, by path; texts as texts, since their bytes are places in the file.
fn contents(path: &Path) -> BTreeMap<String, String> {
    fn walk(group: &Group, path: &str, found: &mut BTreeMap<String, String>) {
        let sorted = |attributes| format!("{:?}", BTreeMap::<String, AttrValue>::from_iter(attributes));
        found.insert(format!("{path}/"), sorted(group.attrs().unwrap()));
        for name in group.datasets().unwrap() {
            let dataset = group.dataset(&name).unwrap();
            let values = match dataset.read_string() {
                Ok(texts) => format!("{texts:?}"),
                Err(_) => format!("{:?}", dataset.read_raw().unwrap()),
            };
            let (shape, kind) = (dataset.shape().unwrap(), dataset.dtype().unwrap());
            let stored = (dataset.chunk_shape().unwrap(), dataset.filters());
            let attributes = sorted(dataset.attrs().unwrap());
            found.insert(format!("{path}/{name}"), format!("{shape:?} {kind} {stored:?} {attributes} {values}"));
        }
        for name in group.groups().unwrap() {
            walk(&group.group(&name).unwrap(), &format!("{path}/{name}"), found);
        }
    }
    let mut found = BTreeMap::new();
    walk(&File::open(path).unwrap().root(), "", &mut found);
    found
}

#[test]
fn an_embedding_is_added_and_all_else_stays() {
    let folder = tempdir().unwrap();
    let (source, target) = (small(&folder), folder.path().join("embedded.h5ad"));
    let before = contents(&source);
    assert!(before.len() > 30 && before.contains_key("/obsm/X_pca"));
    let embedding = Array2::from_shape_fn((5, 3), |(cell, k)| cell as f32 - 0.1 * k as f32);
    // A view that is not contiguous is written as it reads.
    let turned = embedding.t().as_standard_layout().into_owned();
    write_embedding(&source, &target, "aais", turned.t()).unwrap();

    assert_eq!(contents(&source), before);
    let mut after = contents(&target);
    let attributes = after.remove("/obsm/X_aais").unwrap();
    assert!(attributes.contains("VarLenString(\"array\")") && attributes.starts_with("[5, 3] f32"), "{attributes}");
    assert_eq!(after, before);
    let written = File::open(&target).unwrap().dataset("obsm/X_aais").unwrap().read_f32().unwrap();
    assert_eq!(written, embedding.into_raw_vec_and_offset().0);

    // Again, in place and narrower.
    write_embedding(&target, &target, "aais", array![[1.0], [2.0], [3.0], [4.0], [5.0]].view()).unwrap();
    assert!(contents(&target).remove("/obsm/X_aais").unwrap().starts_with("[5, 1] f32"));
    assert_eq!(read(&target, None, Some("class")), read(&source, None, Some("class")));
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
}

#[test]
fn a_file_without_embeddings_gets_a_place_for_them() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("t.h5ad");
    compressed(&path, &[1.0], &[0], &[0, 1, 1, 1]);
    write_embedding(&path, &path, "pca", array![[1.0], [2.0], [3.0]].view()).unwrap();
    let after = contents(&path);
    assert!(after["/obsm/"].contains("VarLenString(\"dict\")"));
    assert!(after["/obsm/X_pca"].starts_with("[3, 1] f32"));
}

#[test]
fn an_embedding_that_does_not_fit_leaves_the_target_alone() {
    let folder = tempdir().unwrap();
    let source = small(&folder);
    let before = fs::read(&source).unwrap();
    let rows = |n| Array2::zeros((n, 2));
    let message = write_embedding(&source, &source, "aais", rows(4).view()).unwrap_err().to_string();
    assert_eq!(message, "expected 5 rows of the embedding, got 4");
    assert!(write_embedding(&source, &source, "a/b", rows(5).view()).is_err());
    let nowhere = folder.path().join("no/such/folder.h5ad");
    let message = write_embedding(&source, &nowhere, "aais", rows(5).view()).unwrap_err().to_string();
    assert!(message.starts_with(&format!("cannot write {}: ", nowhere.display())), "{message}");
    assert_eq!(fs::read(&source).unwrap(), before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_damaged_file_is_counts_or_an_error(share in 0.0..1.0_f64, flip in 1..=255_u8, cut in any::<bool>(), layer in 0..3_usize) {
        let folder = tempdir().unwrap();
        let path = small(&folder);
        let mut bytes = fs::read(&path).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position")]
        let at = (bytes.len() as f64 * share) as usize;
        if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
        fs::write(&path, bytes).unwrap();
        if let Ok(counts) = read(&path, [None, Some("csc"), Some("dense")][layer], Some("class")) {
            prop_assert_eq!(counts.to_dense().dim(), (5, 4));
        }
    }
}
