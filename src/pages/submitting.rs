//! Submitting code in two steps: the source, then what each parameter of its entry point receives. The node reads the
//! parameters off the source itself.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use maud::{Markup, html};
use uuid::Uuid;

use super::piece::code::source;
use super::piece::text::reveal;
use super::upload::Upload;
use super::{Answer, Field, Fields, Filled, Form, Notice, Problem, Site, Visit};
use crate::actors::ActError;
use crate::actors::triage::Submit;
use crate::acts::Refusal;
use crate::acts::datasets::{self, Wanted};
use crate::acts::requests::Submission;
use crate::api::blocking::off_the_arbiter;
use crate::domain::access::{Actor, Permission, Viewer};
use crate::domain::code::SOURCE_MAX;
use crate::domain::id::{AssetId, CodeId};
use crate::domain::outline::{Function, Outline};
use crate::domain::policy::{Binding, InputPolicy, OutputPolicy};
use crate::domain::text::Invalid;
use crate::domain::whole_number;
use crate::store::read::View;

/// The longest second form: the source, each byte as three.
const SUBMISSION_MAX: usize = 512 * 1024;
/// Datasets whose assets can be chosen.
const DATASETS_MAX: usize = 200;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/codes/new", show);
    site.post("/codes/new", bind);
    site.post("/codes", submit);
}

async fn show(visit: Visit, query: Fields) -> Answer {
    visit.demand("POST", "/codes")?;
    let carried = ["project", "asset", "predecessor"];
    Ok(first(
        &visit,
        &Filled::with(carried.map(|name| (name, query.get(name)))),
    ))
}

/// What is carried along from the page that led here.
fn carried(fields: &Fields) -> Markup {
    html! { @for name in ["project", "asset", "predecessor"] { @if let Some(value) = fields.given(name) { input type="hidden" name=(name) value=(value); } } }
}

fn first(visit: &Visit, filled: &Filled) -> HttpResponse {
    let pasted = Field::new("source", "Source")
        .hint("Python. Leave it empty if you choose a file.")
        .optional();
    let entry = Field::new("entry_point", "Entry point")
        .hint("The function that is called. May be left empty if there is only one.")
        .optional();
    visit
        .page("Submit code")
        .trail([("Projects", "/projects")])
        .status(filled.status())
        .body(html! {
            p.lead { "Code is a function in Python. It receives assets as tables (pandas) or arrays (NumPy), and returns its result." }
            (filled.summary())
            div.card {
                (visit.upload_form("/codes/new", html! {
                    (carried(filled.fields()))
                    (filled.area(&pasted, 12))
                    (filled.input(&entry))
                    (filled.file(&Field::new("file", "File").hint("In place of the source above; its name ends in .py.").optional(), ".py"))
                    div.actions { button.primary { "Next: what it receives" } }
                }))
            }
        })
}

/// Takes the source, and asks what each parameter receives.
async fn bind(mut upload: Upload) -> Answer {
    upload.demand("POST", "/codes")?;
    match sourced(&mut upload).await {
        Ok((source, function)) => {
            let mut values = vec![
                ("source".to_owned(), source),
                ("entry_point".to_owned(), function.name.clone()),
                ("name".to_owned(), function.name.clone()),
                ("output".to_owned(), "single_execution".to_owned()),
                ("parameters".to_owned(), names(&function).join(" ")),
            ];
            let kept = ["project", "asset", "predecessor"];
            values.extend(kept.map(|name| (name.to_owned(), upload.fields.get(name).to_owned())));
            if let (Some(asset), Some(first)) = (upload.fields.given("asset"), names(&function).first()) {
                values.push((format!("asset-{first}"), asset.to_owned()));
            }
            second(&upload.visit, &Filled::with(values)).await
        }
        Err(problem) => Ok(first(&upload.visit, &Filled::refused(&upload.fields, problem)?)),
    }
}

fn names(function: &Function) -> Vec<&str> {
    function
        .parameters
        .iter()
        .map(|parameter| parameter.name.as_str())
        .collect()
}

/// The source, from the file or the field, and its entry point.
async fn sourced(upload: &mut Upload) -> Result<(String, Function), Problem> {
    let source = if upload.has_file() {
        let bytes = upload.bytes(SOURCE_MAX).await?;
        String::from_utf8(bytes).map_err(|_| Invalid::new("file", "is not text in UTF-8"))?
    } else {
        upload.fields.get("source").to_owned()
    };
    if source.trim().is_empty() {
        return Err(Invalid::new("source", "is missing; paste it, or choose a file").into());
    }
    if source.len() > SOURCE_MAX {
        return Err(Invalid::new("source", format!("is longer than {SOURCE_MAX} bytes")).into());
    }
    let outline = outlined(&upload.visit, source.clone()).await?;
    let function = entry_point(&outline, upload.fields.given("entry_point"))?;
    Ok((source, function))
}

async fn outlined(visit: &Visit, source: String) -> Result<Outline, Problem> {
    let runtime = std::sync::Arc::clone(&visit.context.runtime);
    let outlined = off_the_arbiter(move || runtime.outline(&[source])).await?;
    let outlined = outlined.map_err(|error| Problem::busy(error.to_string()))?;
    match outlined.into_iter().next() {
        Some(Ok(outline)) => Ok(outline),
        Some(Err(problem)) => Err(Invalid::new("source", format!("is not Python: {problem}")).into()),
        None => Err(Problem::busy("the parser gave no answer; try again")),
    }
}

fn entry_point(outline: &Outline, wanted: Option<&str>) -> Result<Function, Problem> {
    let wrong = |problem: String| Problem::from(Invalid::new("entry_point", problem));
    let all = || {
        let names: Vec<_> = outline
            .functions
            .iter()
            .map(|function| function.name.as_str())
            .collect();
        names.join(", ")
    };
    match (wanted, outline.functions.as_slice()) {
        (_, []) => Err(Invalid::new("source", "defines no function; what shall be called?").into()),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(wrong(format!("must be one of the functions: {}", all()))),
        (Some(wanted), functions) => {
            let found = functions.iter().find(|function| function.name == wanted);
            found
                .cloned()
                .ok_or_else(|| wrong(format!("is none of the functions: {}", all())))
        }
    }
}

/// The assets that can be chosen, each with the name of its dataset.
fn choices(view: &View, actor: &Actor) -> Result<Vec<(Uuid, String)>, Refusal> {
    let viewer = Viewer::Person(actor.clone());
    let listed = datasets::list(view, &viewer, &Wanted::default(), None, DATASETS_MAX)?;
    let mut found = Vec::new();
    for dataset in listed.objects {
        let id = crate::domain::id::DatasetId(dataset.id);
        let title = dataset.body.title();
        for asset in datasets::show(view, &viewer, id)?.assets {
            found.push((asset.id, format!("{title}: {}", asset.body.title())));
        }
    }
    Ok(found)
}

async fn second(visit: &Visit, filled: &Filled) -> Answer {
    let actor = visit.actor.clone();
    let assets = visit.read(move |view| choices(view, &actor)).await?;
    let fields = filled.fields();
    let parameters: Vec<&str> = fields.get("parameters").split_whitespace().collect();
    let outputs = [
        (
            "single_execution",
            "Once: one successful run, whose result every later call returns",
        ),
        ("execute_count", "Several times, as many as below"),
    ];
    Ok(visit
        .page("What the code receives")
        .trail([("Projects", "/projects"), ("Submit code", "/codes/new")])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            (source("Source", "line", fields.get("source"), &[]))
            div.card.narrow {
                (visit.form("/codes", html! {
                    (carried(fields))
                    @for name in ["source", "entry_point", "parameters"] { input type="hidden" name=(name) value=(fields.get(name)); }
                    p { "It calls " code { (reveal(fields.get("entry_point"))) } "." }
                    (filled.input(&Field::new("name", "Name of the code")))
                    @for parameter in &parameters { (receives(filled, parameter, &assets)) }
                    @if parameters.is_empty() { p.soft { "The entry point has no parameters: it receives nothing." } }
                    (filled.choice(&Field::new("output", "How often it may run"), outputs))
                    (filled.input(&Field::new("count", "Successful runs").kind("number").hint("Only for several runs.").optional()))
                    div.actions { button.primary { "Submit the code" } }
                }))
            }
        }))
}

fn receives(filled: &Filled, parameter: &str, assets: &[(Uuid, String)]) -> Markup {
    let constant = [(String::new(), "a constant".to_owned())];
    let listed = constant
        .into_iter()
        .chain(assets.iter().map(|(id, name)| (id.to_string(), name.clone())));
    html! {
        fieldset {
            legend { "Parameter " code { (reveal(parameter)) } }
            (filled.choice(&Field::new(&format!("asset-{parameter}"), &format!("{parameter} receives")), listed))
            (filled.input(&Field::new(&format!("constant-{parameter}"), &format!("Constant for {parameter}")).hint("As JSON, such as 3 or \"text\". Only for a constant.").optional()))
        }
    }
}

async fn submit(form: Form<SUBMISSION_MAX>) -> Answer {
    match submitted(&form).await {
        Ok(id) => {
            let query = Fields::of(["project", "predecessor"].map(|name| (name, form.fields.get(name))));
            let address = query.address(&format!("/codes/{id}"), "", None);
            Ok(form.go_and_say(
                &address,
                &Notice::done("The code is submitted. Try it on the mock, then ask for it to be run."),
            ))
        }
        Err(problem) => second(&form.visit, &Filled::refused(&form.fields, problem)?).await,
    }
}

async fn submitted(form: &Form<SUBMISSION_MAX>) -> Result<CodeId, Problem> {
    form.actor
        .require(Permission::SubmitRequests)
        .map_err(Refusal::from)?;
    let id = CodeId(form.context.new_id());
    let submission = Submission {
        name: form.fields.get("name").to_owned(),
        source: form.fields.get("source").to_owned(),
        entry_point: form.fields.get("entry_point").to_owned(),
        input_policy: InputPolicy::exact_match(bindings(&form.fields)?)?,
        output_policy: output(&form.fields)?,
        signature: None,
    };
    let submit = Submit {
        actor: form.actor.clone(),
        id,
        submission,
    };
    form.context.triage.send(submit).await.map_err(ActError::from)??;
    Ok(id)
}

fn bindings(fields: &Fields) -> Result<BTreeMap<String, Binding>, Problem> {
    let mut bindings = BTreeMap::new();
    for parameter in fields.get("parameters").split_whitespace() {
        let (asset, constant) = (format!("asset-{parameter}"), format!("constant-{parameter}"));
        let binding = match fields.given(&asset) {
            Some(_) => Binding::Asset(AssetId(fields.parsed(&asset, "one of the assets of the list")?)),
            None => {
                let json: serde_json::Value = fields.parsed(&constant, "JSON, such as 3 or \"text\"")?;
                whole_number::check(fields.get(&constant).as_bytes())
                    .map_err(|error| Invalid::new(&constant, error.to_string()))?;
                Binding::Constant(json.to_string())
            }
        };
        bindings.insert(parameter.to_owned(), binding);
    }
    Ok(bindings)
}

fn output(fields: &Fields) -> Result<OutputPolicy, Problem> {
    Ok(match fields.get("output") {
        "execute_count" => OutputPolicy::ExecuteCount(fields.parsed("count", "a number of runs")?),
        _ => OutputPolicy::SingleExecution,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_keeps_its_digits_or_is_refused() {
        let bound = |constant: &str| bindings(&Fields::of([("parameters", "n"), ("constant-n", constant)]));
        let expected = Binding::Constant("[18446744073709551615]".to_owned());
        assert_eq!(bound(" [18446744073709551615]").unwrap()["n"], expected);
        let refused = bound("[18446744073709551616]").unwrap_err().document();
        assert_eq!(refused["errors"][0]["field"], "constant-n");
    }
}
