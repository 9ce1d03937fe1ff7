package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is a proxy of others that runs beside ours when it is installed.
type peer struct {
	name, addr string
	pid        int
}

// nginxConf and haproxyConf do what the bare ReverseProxy does: TLS 1.3 with the
// same certificate, one process with one worker, kept connections both ways.
const nginxConf = `daemon off;
master_process off;
worker_processes 1;
pid DIR/NAME.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 300s;
  client_body_temp_path DIR/NAME-1; proxy_temp_path DIR/NAME-2; fastcgi_temp_path DIR/NAME-3; uwsgi_temp_path DIR/NAME-4; scgi_temp_path DIR/NAME-5;
  upstream backend { server BACKEND; keepalive 256; keepalive_requests 100000000; }
  server {
    listen ADDR ssl; ssl_certificate CERT; ssl_certificate_key KEY; ssl_protocols TLSv1.3;
    MORE
    location / { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://backend; }
  }
}
`

const haproxyConf = `global
  nbthread 1
  maxconn 1024
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend front
  bind ADDR ssl crt DIR/peer.pem
  default_backend back
backend back
  http-reuse always
  server s1 BACKEND
`

// peers starts nginx and haproxy, those of them that are installed, and says of
// each other in one line that it is not.
func (s *system) peers(ctx context.Context) ([]peer, error) {
	if err := concatenate(filepath.Join(s.dir, "peer.pem"), s.proxyCert.Cert, s.proxyCert.Key); err != nil {
		return nil, err
	}
	var all []peer
	for _, p := range []struct{ name, conf, check string }{{"nginx", nginxConf, "-c"}, {"haproxy", haproxyConf, "-f"}} {
		program, err := exec.LookPath(p.name)
		if err != nil {
			fmt.Fprintf(os.Stderr, "forward: %s is not installed and is left out\n", p.name)
			continue
		}
		addr, err := free()
		if err != nil {
			return nil, err
		}
		conf := filepath.Join(s.dir, p.name+".conf")
		if err := os.WriteFile(conf, s.filled(p.conf, p.name, addr, ""), 0o600); err != nil {
			return nil, err
		}
		pid, err := s.spawn(ctx, addr, program, p.check, conf)
		if err != nil {
			return nil, err
		}
		all = append(all, peer{p.name, addr, pid})
	}
	return all, nil
}

// filled is a conf for a peer at addr, whose files have this name and whose server
// does more besides.
func (s *system) filled(conf, name, addr, more string) []byte {
	return []byte(strings.NewReplacer("DIR", s.dir, "NAME", name, "BACKEND", s.backend, "ADDR", addr,
		"CERT", s.proxyCert.Cert, "KEY", s.proxyCert.Key, "MORE", more).Replace(conf))
}

func concatenate(to string, files ...string) error {
	var all []byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		all = append(all, data...)
	}
	return os.WriteFile(to, all, 0o600)
}
