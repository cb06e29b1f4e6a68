//! The servers, as Debian has them.

/// One server that takes a listening socket which somebody else opened. `PORT`
/// stands for that socket's port.
pub(super) struct Server {
    pub(super) name: &'static str,
    /// How it takes the socket, as docs/compatibility.md says it.
    pub(super) takes: &'static str,
    /// Options for `podman run`.
    pub(super) options: &'static [&'static str],
    pub(super) command: &'static [&'static str],
    /// What a client hears from it.
    pub(super) answer: &'static str,
}

/// Packages that the servers come from, and what a container of them needs.
pub(super) const PACKAGES: &[&str] = &[
    "dash",
    "coreutils",
    "gunicorn",
    "haproxy",
    "mariadb-server-core",
    "nginx-light",
    "nodejs",
    "prometheus-node-exporter",
    "uvicorn",
];

pub(super) const NGINX: Server = Server {
    name: "nginx",
    takes: "`NGINX=3;` in its environment, and `listen` with the address of the socket",
    // As root it would become another user, which takes capabilities.
    options: &["--env=NGINX=3;", "--user=1000"],
    command: &["/usr/sbin/nginx", "-c", "/c/nginx.conf"],
    answer: "served by nginx",
};

pub(super) const SERVERS: &[Server] = &[
    NGINX,
    Server {
        name: "HAProxy",
        takes: "`bind fd@3`",
        options: &[],
        command: &["/usr/sbin/haproxy", "-f", "/c/haproxy.cfg"],
        answer: "served by haproxy",
    },
    Server {
        name: "Gunicorn",
        takes: "by itself (LISTEN_FDS)",
        options: &[],
        command: &[
            "/usr/bin/python3",
            "/usr/bin/gunicorn",
            "--chdir=/c",
            "app:wsgi",
        ],
        answer: "served by gunicorn",
    },
    Server {
        name: "Uvicorn",
        takes: "`--fd=3`",
        options: &[],
        command: &[
            "/usr/bin/python3",
            "/usr/bin/uvicorn",
            "--app-dir=/c",
            "--fd=3",
            "app:asgi",
        ],
        answer: "served by uvicorn",
    },
    Server {
        name: "Python's http.server",
        takes: "`socket.socket(fileno=3)`",
        options: &[],
        command: &["/usr/bin/python3", "/c/server.py"],
        answer: "served by http.server",
    },
    Server {
        name: "Node.js",
        takes: "`server.listen({ fd: 3 })`",
        options: &[],
        command: &["/usr/bin/node", "/c/server.js"],
        answer: "served by node",
    },
    Server {
        name: "Prometheus node exporter (Go)",
        takes: "`--web.systemd-socket`",
        options: &[],
        command: &[
            "/usr/bin/prometheus-node-exporter",
            "--web.systemd-socket",
            "--collector.disable-defaults",
            "--collector.time",
        ],
        answer: "Node Exporter",
    },
    Server {
        name: "MariaDB",
        takes: "by itself (LISTEN_FDS)",
        options: &["--volume=DATA:/data"],
        command: &[
            "/usr/sbin/mariadbd",
            "--no-defaults",
            "--user=root",
            "--datadir=/data",
        ],
        answer: "MariaDB",
    },
];

/// Makes MariaDB's first tables.
pub(super) const BOOTSTRAP: &str = "(echo 'create database mysql;'; echo 'use mysql;'; \
    cat /usr/share/mysql/mysql_system_tables.sql) | \
    /usr/sbin/mariadbd --no-defaults --user=root --bootstrap --datadir=/data";

/// What is mounted on /c.
pub(super) const FILES: &[(&str, &str)] = &[
    (
        "nginx.conf",
        "daemon off; pid /tmp/pid; error_log stderr; worker_processes 1; events {}
http {
    access_log off;
    client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3;
    uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5;
    server {
        listen 127.0.0.1:PORT;
        location / { return 200 \"served by nginx\\n\"; }
        location /up { proxy_pass http://unix:/c/up; }
    }
}
",
    ),
    (
        "haproxy.cfg",
        "resolvers default
defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
frontend front
    bind fd@3
    http-request return status 200 content-type text/plain string \"served by haproxy\"
",
    ),
    (
        "app.py",
        "def wsgi(environ, start):
    start('200 OK', [('Content-Type', 'text/plain')])
    return [b'served by gunicorn']

async def asgi(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        await send({'type': 'http.response.body', 'body': b'served by uvicorn'})
",
    ),
    (
        "server.py",
        "import http.server, signal, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'served by http.server')

class Server(http.server.HTTPServer):
    address_family = socket.AF_UNIX

server = Server('', Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=3)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
server.serve_forever()
",
    ),
    (
        "server.js",
        "process.on('SIGTERM', () => process.exit());
require('http').createServer((_, answer) => answer.end('served by node')).listen({ fd: 3 });
",
    ),
];
