//! Coordinates of cells, written into an AnnData file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use hdf5_pure::AttrValue;
use ndarray::ArrayView2;

use super::Place;
use super::h5ad::H5ad;
use crate::{Error, Result};

/// Writes an embedding of the cells, `(N, d)`, as `obsm/X_<name>` of an `.h5ad` file, where scanpy looks for it.
///
/// `target` becomes a copy of `source` with that one data set more; an older one of the same name is replaced.
/// The two may be the same file. Everything else stays as it is: the file is edited, not written anew.
/// The copy is made beside `target` under a name that ends in `.partial`, and takes its place when it is complete.
///
/// # Errors
/// A source that is no AnnData file, rows of another number than it has cells, a name that is empty or has a slash, or a
/// target that cannot be written. The target is then what it was.
pub fn write_embedding(source: &Path, target: &Path, name: &str, embedding: ArrayView2<'_, f32>) -> Result<()> {
    let place = Place::new(&source.display().to_string());
    if name.is_empty() || name.contains('/') {
        return Err(place.malformed("a name without slashes for the embedding", &format!("`{name}`")));
    }
    let n_cells = H5ad::open(source)?.index("obs")?.len();
    Error::expect_length("rows of the embedding", n_cells, embedding.nrows())?;

    let unwritable = |reason: String| Error::Unwritable { file: target.display().to_string(), reason };
    let partial = partial(target);
    let edited = fs::copy(source, &partial).map_err(|error| error.to_string());
    let edited = edited.and_then(|_| edit(&partial, name, embedding).map_err(|error| error.to_string()));
    let synced = edited.and_then(|()| sync(&partial, target).map_err(|error| error.to_string()));
    synced.map_err(|reason| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&partial);
        unwritable(reason)
    })
}

/// The target's name while it is incomplete.
fn partial(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    target.with_file_name(name)
}

fn edit(path: &Path, name: &str, embedding: ArrayView2<'_, f32>) -> std::result::Result<(), hdf5_pure::Error> {
    let text = |text: &str| AttrValue::VarLenString(text.to_owned());
    let file = hdf5_pure::File::open_rw(path)?;
    let root = file.root();
    match file.group("obsm") {
        Ok(obsm) if obsm.datasets()?.iter().chain(&obsm.groups()?).any(|known| *known == format!("X_{name}")) => {
            root.delete(&format!("obsm/X_{name}"))?;
        }
        Ok(_) => (),
        Err(_) => {
            root.create_group_with("obsm", |obsm| {
                obsm.set_attr("encoding-type", text("dict"));
                obsm.set_attr("encoding-version", text("0.1.0"));
            })?;
        }
    }
    let (rows, columns) = embedding.dim();
    let values: Vec<f32> = embedding.iter().copied().collect();
    root.create_dataset(&format!("obsm/X_{name}"), |dataset| {
        dataset.with_f32_data(&values).with_shape(&[rows as u64, columns as u64]);
        dataset.set_attr("encoding-type", text("array")).set_attr("encoding-version", text("0.2.0"));
    })?;
    file.commit()?;
    file.close()
}

/// Puts the complete file in its place.
fn sync(partial: &Path, target: &Path) -> std::io::Result<()> {
    File::open(partial)?.sync_all()?;
    fs::rename(partial, target)
}
