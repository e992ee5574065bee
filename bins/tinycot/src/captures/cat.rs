//! `tinycot dump cat`: the events themselves.

use capture::{EventFormat, EventWriter};

use super::Variables;
use super::args::CatArgs;
use super::input::{Found, Input};
use super::output::{Output, Syntax};
use crate::error::Failure;

pub(super) fn run(args: &CatArgs, variable: Variables<'_>) -> Result<(), Failure> {
    let mut input = Input::open(&args.input, &args.filter, variable)?;
    let mut output = Output::new(match args.format {
        EventFormat::Xml => Syntax::Xml,
        _ => Syntax::Json,
    });
    let mut writer = EventWriter::new(args.format);
    let mut read_on = true;
    input.read(|found| {
        if let Found::Event(record, header) = found {
            writer.write(record, header, output.buf());
            read_on = output.ready()?;
        }
        Ok(read_on)
    })?;
    if read_on {
        writer.finish(output.buf());
        output.finish()?;
        input.finish()?;
    }
    Ok(())
}
