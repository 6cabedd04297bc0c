//! What there is to compare with: a server of the same library that knows nothing and answers with bytes that it was given.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

/// The server as a process of its own.
pub struct Bare {
    process: Child,
    /// Its `HOST:PORT`.
    pub address: String,
}

impl Bare {
    /// Starts one that answers with these bytes under these paths.
    pub fn start(answers: &[(String, Vec<u8>)]) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program's own path"))
            .arg("bare")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut told = process.stdin.take().expect("its input");
        for (path, body) in answers {
            let body = std::str::from_utf8(body).expect("JSON");
            writeln!(told, "{path}\t{body}").expect("it takes its answers");
        }
        drop(told);
        let mut address = String::new();
        BufReader::new(process.stdout.take().expect("its output"))
            .read_line(&mut address)
            .expect("a line");
        Self {
            process,
            address: address.trim().to_owned(),
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The process's own part.
pub fn serve() {
    let lines = std::io::stdin().lines().map(|line| line.expect("a line"));
    let answers: HashMap<String, Bytes> = lines
        .filter_map(|line| {
            let (path, body) = line.split_once('\t')?;
            Some((path.to_owned(), Bytes::from(body.to_owned())))
        })
        .collect();
    let answers = Data::new(answers);
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let served = actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(answers.clone())
                .default_service(web::to(answer))
        })
        .workers(workers)
        .bind("127.0.0.1:0")?;
        println!("{}", server.addrs()[0]);
        server.run().await
    });
    served.expect("it serves");
}

async fn answer(request: HttpRequest, answers: Data<HashMap<String, Bytes>>) -> HttpResponse {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    match answers.get(path) {
        Some(body) => HttpResponse::Ok()
            .content_type(ContentType::json())
            .body(body.clone()),
        None => HttpResponse::NotFound().finish(),
    }
}
