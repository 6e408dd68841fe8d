package sitecheck

import (
	"net/http"
	"net/url"
	"reflect"
	"testing"
)

// TestSystemProxies checks how the settings of Windows and macOS are understood.
func TestSystemProxies(t *testing.T) {
	const mac = `<dictionary> {
  ExceptionsList : <array> {
    0 : *.local
    1 : relay.example.org
  }
  ExcludeSimpleHostnames : 1
  FTPPassive : 1
  HTTPEnable : 1
  HTTPPort : 8080
  HTTPProxy : other.example.org
  HTTPSEnable : 1
  HTTPSPort : 3128
  HTTPSProxy : proxy.example.org
  ProxyAutoConfigEnable : 0
  __SCOPED__ : <dictionary> {
    en0 : <dictionary> {
      HTTPSProxy : other.example.org
    }
  }
}
`
	for name, test := range map[string]struct{ got, want systemProxy }{
		"Windows, none": {windowsProxy(false, "proxy.example.org:3128", "", ""), systemProxy{}},
		"Windows, one for all": {windowsProxy(true, "proxy.example.org:3128",
			"*.example.net; 10.*;<local>", ""),
			systemProxy{server: "proxy.example.org:3128", except: []string{"*.example.net", "10.*"},
				simple: true}},
		"Windows, one for each": {windowsProxy(true, "http=other.example.org:8080;https=http://proxy.example.org:3128/", "", ""),
			systemProxy{server: "proxy.example.org:3128"}},
		"Windows, only for HTTP":  {windowsProxy(true, "http=other.example.org:8080", "", ""), systemProxy{}},
		"Windows, without a port": {windowsProxy(true, "proxy.example.org", "", ""), systemProxy{server: "proxy.example.org:80"}},
		"Windows, a script":       {windowsProxy(false, "", "", "http://wpad.example.org/wpad.dat"), systemProxy{script: true}},
		"macOS": {macProxy(mac),
			systemProxy{server: "proxy.example.org:3128",
				except: []string{"*.local", "relay.example.org"}, simple: true}},
		"macOS, none": {macProxy(
			"<dictionary> {\n  HTTPSEnable : 0\n  HTTPSPort : 3128\n  HTTPSProxy : proxy.example.org\n}\n"), systemProxy{}},
		"macOS, IPv6": {macProxy(
			"<dictionary> {\n  HTTPSEnable : 1\n  HTTPSPort : 3128\n  HTTPSProxy : 2001:db8::1\n}\n"),
			systemProxy{server: "[2001:db8::1]:3128"}},
		"macOS, a script": {macProxy(
			"<dictionary> {\n  ProxyAutoConfigEnable : 1\n  ProxyAutoConfigURLString : http://wpad.example.org/\n}\n"), systemProxy{script: true}},
		"unexpected output": {macProxy("no such command\n}\n : \n"), systemProxy{}},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("%s: %+v, want %+v", name, test.got, test.want)
		}
	}
	p := systemProxy{server: "proxy.example.org:3128", except: []string{"*.example.net", "10.*", "["},
		simple: true}
	for host, past := range map[string]bool{
		"relay.example.org": false, "relay.example.net": true, "RELAY.example.NET": true, "example.net": false, "10.1.2.3": true,
		"relay": true, "relay:8443": true, "[2001:db8::1]:443": false,
	} {
		got, err := p.choose(&http.Request{URL: &url.URL{Scheme: "https", Host: host}})
		if err != nil || (got == nil) != past || !past && got.String() != "http://proxy.example.org:3128" {
			t.Errorf("%s: %v, %v", host, got, err)
		}
	}
}
