package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"muster/config"
)

// serviceAccounts is a token endpoint for service accounts and the API that its
// tokens open, in one.
type serviceAccounts struct {
	public *rsa.PublicKey
	mu     sync.Mutex
	came   []string         // assertions
	claims []map[string]any // of those that are believed
}

func (s *serviceAccounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Host == "admin.googleapis.com" {
		if r.Header.Get("Authorization") != "Bearer TOKEN-CANARY" {
			http.Error(w, `{"error": {"code": 401}}`, http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprint(w, `{"id": "42", "primaryEmail": "kate@acme.example", "name": {"fullName": "Kate Libby"}, "suspended": false}`)
		return
	}
	assertion := r.PostFormValue("assertion")
	s.came = append(s.came, assertion)
	parts := strings.Split(assertion, ".")
	if r.Host != "oauth2.googleapis.com" || r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || len(parts) != 3 {
		http.Error(w, `{"error": "invalid_request"}`, http.StatusBadRequest)
		return
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	if rsa.VerifyPKCS1v15(s.public, crypto.SHA256, digest[:], signature) != nil {
		http.Error(w, fmt.Sprintf(`{"error": "invalid_grant", "error_description": %q}`, assertion), http.StatusBadRequest)
		return
	}
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	_ = json.Unmarshal(payload, &claims)
	s.claims = append(s.claims, claims)
	_, _ = fmt.Fprint(w, `{"access_token": "TOKEN-CANARY", "expires_in": 3599, "token_type": "Bearer"}`)
}

// The catalog's definition asks with a service account's key, which a file holds; a
// key that signs nothing is told at load, and one that is not believed by the kind.
// Neither the key nor an assertion is in a log, a span, a metric or an answer.
func TestAServiceAccountAsks(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	accounts := &serviceAccounts{public: &key.PublicKey}
	server := httptest.NewServer(accounts)
	defer server.Close()

	w := &world{t: t, spans: tracetest.NewSpanRecorder(), log: new(lockedBuffer), http: &http.Client{Transport: &http.Transport{}}}
	folder := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pkcs8 := func(key *rsa.PrivateKey) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	write("robot.pem", pkcs8(key))
	write("other.pem", pkcs8(other))
	write("public.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)})))
	gateway := fmt.Sprintf(`listen: {address: "127.0.0.1:0", admin: "127.0.0.1:0"}
tenants: {acme: {}}
providers:
  - {use: google-workspace, name: people, with: {key: "${file:robot.pem}", client_email: robot@acme.iam.example, subject: admin@acme.example}}
  - {use: google-workspace, name: refused, with: {key: "${file:other.pem}", client_email: robot@acme.iam.example, subject: admin@acme.example}}
egress:
  connect:
    "*.googleapis.com": {address: %q, plaintext: true}
`, server.Listener.Addr())
	write("gateway.yaml", gateway)
	w.deploy(folder)

	begin := time.Now().Unix()
	got := w.ask(http.MethodGet, "http://"+w.Address+"/v1/tenants/acme/users/people:42?sources=people", "")
	again := w.ask(http.MethodGet, "http://"+w.Address+"/v1/tenants/acme/users/email:kate@acme.example", "")
	if outcomes := got.outcomes(); got.Status != 200 || outcomes["people"] != "ok" || !strings.Contains(got.Text, "Kate Libby") {
		t.Errorf("got %d %s", got.Status, got.Text)
	}
	if outcomes := again.outcomes(); outcomes["refused"] != "failed unauthenticated" {
		t.Errorf("got %d %s", again.Status, again.Text)
	}
	accounts.mu.Lock()
	if len(accounts.claims) != 1 {
		t.Fatalf("%d assertions are believed, want one whose token is kept", len(accounts.claims))
	}
	claims := accounts.claims[0]
	issued, _ := claims["iat"].(float64)
	for name, want := range map[string]any{
		"iss": "robot@acme.iam.example", "sub": "admin@acme.example", "aud": "https://oauth2.googleapis.com/token",
		"scope": "https://www.googleapis.com/auth/admin.directory.user.readonly", "exp": issued + 300,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if issued < float64(begin) || issued > float64(time.Now().Unix()) {
		t.Errorf("issued at %v", issued)
	}
	secrets := []string{"TOKEN-CANARY"}
	for _, assertion := range accounts.came {
		secrets = append(secrets, strings.Split(assertion, ".")[1:]...)
	}
	accounts.mu.Unlock()
	for _, key := range []string{pkcs8(key), pkcs8(other)} {
		lines := strings.Split(strings.TrimSpace(key), "\n")
		secrets = append(secrets, lines[1:len(lines)-1]...)
	}

	told := got.Text + again.Text + w.log.String() + w.ask(http.MethodGet, "http://"+w.Admin+"/metrics", "").Text + w.ask(http.MethodGet, "http://"+w.Admin+"/config", "").Text
	for _, span := range w.spans.Ended() {
		told += fmt.Sprintln(span.Name(), span.Attributes(), span.Events(), span.Status())
	}
	var shown strings.Builder
	command := rootCommand()
	command.SetOut(&shown)
	command.SetArgs([]string{"lookup", "--config", filepath.Join(folder, "gateway.yaml"), "--tenant", "acme", "--explain", "--bodies", "--sources", "people", "people:42"})
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Errorf("%v", err)
	}
	if !strings.Contains(shown.String(), "POST https://oauth2.googleapis.com/token  for a token") {
		t.Errorf("the token request is not shown:\n%s", shown.String())
	}

	write("wrong.yaml", strings.Replace(gateway, "other.pem", "public.pem", 1))
	_, err = config.Load(filepath.Join(folder, "wrong.yaml"))
	want := `wrong.yaml:5:56: error: the setting "key" holds a public key alone`
	if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), ": error: ") != 1 {
		t.Errorf("got %v", err)
	}
	told += shown.String() + fmt.Sprint(err)
	for _, secret := range secrets {
		if strings.Contains(told, secret) {
			t.Errorf("%q is told", secret)
		}
	}
}

// What docs/onboarding.md shows of assertions is taken word for word, with keys of
// the files that it names.
func TestOnboardingAssertions(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/onboarding.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)\n  ```yaml\n(.*?)\n  ```").FindStringSubmatch(string(page))
	if block == nil {
		t.Fatal("the page shows no assertion")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	for name, content := range map[string]string{
		"gateway.yaml":      "tenants: {acme: {}}\n" + regexp.MustCompile("(?m)^  ").ReplaceAllString(block[1], "") + "\n",
		"secrets/okta.pem":  private,
		"secrets/entra.pem": private,
		"secrets/entra.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := config.Load(filepath.Join(folder, "gateway.yaml")); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "secrets/entra.crt"), []byte(private), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = config.Load(filepath.Join(folder, "gateway.yaml"))
	want := "gateway.yaml:18:68: error: the secret holds no certificate\n"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}
