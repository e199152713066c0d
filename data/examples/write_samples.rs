//! Writes the files of `data/samples/` anew: `cargo run -p data --example write_samples`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use data::encode::{self, Encoding};
use data::{ActivityGenerator, LogGenerator, samples};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let forms =
        [("logs.pb", Encoding::Protobuf), ("logs.json", Encoding::Json), ("logs.ndjson", Encoding::NdJson)];
    for (name, encoding) in forms {
        let logs = LogGenerator::new(samples::log_spec())?;
        write(&folder.join(name), |file| encode::write_requests(logs, encoding, file))?;
    }
    let entries = ActivityGenerator::new(samples::activity_spec())?;
    write(&folder.join("activity.json"), |file| encode::write_activity(entries, file))?;
    Ok(())
}

fn write(path: &Path, body: impl FnOnce(&mut BufWriter<File>) -> io::Result<u64>) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let num_written = body(&mut file)?;
    file.flush()?;
    println!("{num_written} entries in {}", path.display());
    Ok(())
}
