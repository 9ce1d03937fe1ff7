package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	crs "github.com/corazawaf/coraza-coreruleset/v4"
)

// modsecurityModule is where Debian has it, once libnginx-mod-http-modsecurity is
// installed. Nothing but this part of the bench needs it.
const modsecurityModule = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"

// modsecurityRules is the profile of the gateway's route in ModSecurity's words:
// paranoia 1, threshold 5, bodies of 64 KiB, no response inspected, nothing logged.
const modsecurityRules = `SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess Off
SecAuditEngine Off
SecDebugLogLevel 0
SecRequestBodyLimit 65537
SecRequestBodyNoFilesLimit 65537
SecRequestBodyLimitAction Reject
SecRequestBodyJsonDepthLimit 20
SecArgumentsLimit 255
SecPcreMatchLimit 100000
SecPcreMatchLimitRecursion 100000
SecTmpDir DIR
SecDataDir DIR

SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"

SecRule REQBODY_ERROR "!@eq 0" "id:200002,phase:2,t:none,nolog,deny,status:400"

Include DIR/crs/crs-setup.conf
Include DIR/crs/RE*.conf
`

// modsecurity starts nginx with ModSecurity and the very rules that the gateway
// has; it returns nil, and says why in a line, where it is not installed.
func (s *system) modsecurity(ctx context.Context) (*peer, error) {
	program, err := exec.LookPath("nginx")
	if err == nil {
		_, err = os.Stat(modsecurityModule)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "waf: nginx with ModSecurity is not installed (on Debian libnginx-mod-http-modsecurity) and is left out")
		return nil, nil
	}
	if err := s.writeRules(filepath.Join(s.dir, "crs")); err != nil {
		return nil, err
	}
	addr, err := free()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(s.dir, "wall.conf")
	rules := filepath.Join(s.dir, "wall.rules")
	text := s.filled("load_module "+modsecurityModule+";\n"+nginxConf, "wall", addr, "modsecurity on; modsecurity_rules_file "+rules+";")
	err = errors.Join(os.WriteFile(conf, text, 0o600), os.WriteFile(rules, s.filled(modsecurityRules, "wall", addr, ""), 0o600))
	if err != nil {
		return nil, err
	}
	pid, err := s.spawn(ctx, addr, program, "-c", conf)
	return &peer{"nginx with ModSecurity", addr, pid}, err
}

// writeRules writes the Core Rule Set out of the module that the gateway is built
// with.
func (s *system) writeRules(to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	setup, err := fs.ReadFile(crs.FS, "@crs-setup.conf.example")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "crs-setup.conf"), spaced(setup), 0o600); err != nil {
		return err
	}
	files, err := fs.ReadDir(crs.FS, "@owasp_crs")
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := fs.ReadFile(crs.FS, "@owasp_crs/"+file.Name())
		if err != nil {
			return err
		}
		if strings.HasSuffix(file.Name(), ".conf") {
			text = spaced(text)
		}
		if err := os.WriteFile(filepath.Join(to, file.Name()), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// spaced puts an empty line before each rule. The module has none, and the parser
// of ModSecurity 3.0.9 does not see without them where a chained rule that has no
// actions ends.
func spaced(rules []byte) []byte {
	return bytes.ReplaceAll(rules, []byte("\nSec"), []byte("\n\nSec"))
}
