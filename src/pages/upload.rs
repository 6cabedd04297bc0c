//! Forms with a file. What was filled in comes first, with the token; the file comes last and streams: it is never whole in
//! memory, and no byte of it is read before the form has been checked.

use std::io::Read;
use std::ops::Deref;
use std::pin::Pin;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::{Stream, StreamExt};
use zeroize::Zeroizing;

use super::Problem;
use super::fields::Fields;
use super::form::{FORM_MAX, TOKEN, check_origin, check_token};
use super::visit::{Shell, Visit};
use crate::api::files::{self, Arriving};
use crate::api::standing;

/// The most fields beside the file.
const FIELDS_MAX: usize = 200;
/// What a field counts for beside its name and what stands in it, in bytes: it has headers, and takes up memory.
const FIELD_COST: usize = 256;

/// A form with a file that somebody who is signed in has sent.
pub struct Upload {
    /// Who sent it.
    pub visit: Visit,
    /// What they filled in.
    pub fields: Fields,
    file: Option<Field>,
    // The file's part reads on from here.
    _form: Multipart,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Upload(..)")
    }
}

impl Deref for Upload {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl Upload {
    /// Whether a file was chosen.
    pub fn has_file(&self) -> bool {
        let name = self.file_name();
        name.is_some_and(|name| !name.is_empty())
    }

    /// The file's name on the sender's machine, which says nothing for sure.
    pub fn file_name(&self) -> Option<&str> {
        self.file.as_ref()?.content_disposition()?.get_filename()
    }

    /// The file, as it arrives.
    ///
    /// # Errors
    /// No file was sent.
    pub fn file(&mut self) -> Result<impl Arriving + use<>, Problem> {
        self.body()
    }

    /// Hands the file to `work` as a reader, on a thread that may block, while it arrives.
    ///
    /// # Errors
    /// No file was sent, it breaks off or is longer than `most` bytes, or `work` refuses.
    pub async fn receive<T: Send + 'static>(
        &mut self,
        most: u64,
        work: impl FnOnce(&mut dyn Read) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        files::receive(self.body()?, most, work).await
    }

    /// The whole file, which is small.
    ///
    /// # Errors
    /// No file was sent, it breaks off, or is longer than `most` bytes.
    pub async fn bytes(&mut self, most: usize) -> Result<Vec<u8>, Problem> {
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        let read = self.receive(limit, |reader| {
            let mut bytes = Vec::new();
            reader
                .read_to_end(&mut bytes)
                .map_err(|error| Problem::internal(&error))?;
            Ok(bytes)
        });
        read.await
    }

    fn body(&mut self) -> Result<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<>, Problem> {
        use crate::domain::text::Invalid;
        let file = self.file.take().filter(is_named);
        let file = file.ok_or_else(|| Problem::from(Invalid::new("file", "is missing; choose one")))?;
        Ok(file.map(|piece| {
            piece.map_err(|error| match error {
                MultipartError::Payload(error) => error,
                _ => PayloadError::Incomplete(None),
            })
        }))
    }
}

fn is_named(file: &Field) -> bool {
    let disposition = file.content_disposition();
    disposition
        .and_then(|it| it.get_filename())
        .is_some_and(|name| !name.is_empty())
}

impl FromRequest for Upload {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let visit = Visit::signed_in(Shell::of(&request).await?)?;
            check_origin(&request)?;
            let mut form = Multipart::new(request.headers(), payload);
            let (mut fields, file) = read_fields(&mut form).await?;
            let token = fields.take(TOKEN);
            check_token(&visit, &token)?;
            Ok(Self {
                visit,
                fields,
                file,
                _form: form,
            })
        })
    }
}

/// Reads the fields before the file, and begins the file.
async fn read_fields(form: &mut Multipart) -> Result<(Fields, Option<Field>), Problem> {
    let mut read: Vec<(String, String)> = Vec::new();
    let too_large = || Problem::too_large(u64::try_from(FORM_MAX).unwrap_or(u64::MAX));
    let mut total = 0;
    while let Some(field) = form.next().await {
        let mut field = field.map_err(|error| broken(&error))?;
        let name = field.name().unwrap_or_default().to_owned();
        let is_file = field
            .content_disposition()
            .is_some_and(|it| it.get_filename().is_some());
        if is_file {
            return Ok((Fields::of(read), Some(field)));
        }
        total += name.len() + FIELD_COST;
        if total > FORM_MAX || read.len() >= FIELDS_MAX {
            return Err(too_large());
        }
        let mut value = Zeroizing::new(Vec::new());
        while let Some(piece) = field.next().await {
            let piece = piece.map_err(|error| broken(&error))?;
            total += piece.len();
            if total > FORM_MAX {
                return Err(too_large());
            }
            value.extend_from_slice(&piece);
        }
        read.push((name, String::from_utf8_lossy(&value).replace("\r\n", "\n")));
    }
    Ok((Fields::of(read), None))
}

fn broken(error: &MultipartError) -> Problem {
    if let MultipartError::Payload(error) = error
        && let Some(problem) = standing::refusal(error)
    {
        return problem;
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid",
        format!("the form did not arrive whole: {error}; send it again"),
    )
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

    use super::*;

    /// What is read of a form of these fields.
    async fn read(fields: &[(String, String)]) -> Result<Fields, Problem> {
        let part = |(name, value): &(String, String)| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body: String = fields.iter().map(part).chain(["--x--\r\n".to_owned()]).collect();
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("multipart/form-data; boundary=x"),
        );
        let body = futures_util::stream::iter([Ok::<_, PayloadError>(Bytes::from(body))]);
        let mut form = Multipart::new(&headers, body);
        read_fields(&mut form).await.map(|(fields, _)| fields)
    }

    #[actix_web::test]
    async fn fields_that_hold_nothing_count_as_well() {
        let empty = |count: usize| vec![("a".to_owned(), String::new()); count];
        assert_eq!(
            read(&empty(FIELDS_MAX)).await.unwrap().all("a").count(),
            FIELDS_MAX
        );
        assert_eq!(
            read(&empty(FIELDS_MAX + 1)).await.unwrap_err().word(),
            "too_large"
        );
        // Names take up memory as values do.
        let named = vec![("n".repeat(FORM_MAX / 100), String::new()); 101];
        assert_eq!(read(&named).await.unwrap_err().word(), "too_large");
    }
}
