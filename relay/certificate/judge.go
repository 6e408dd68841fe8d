package certificate

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Finding is a fault that clients find with a certificate.
type Finding struct {
	ID   string    `json:"id"` // for programs; docs/certificates.md lists them
	By   RefusedBy `json:"refused_by"`
	Text string    `json:"text"` // the fault and its remedy
}

// RefusedBy states which clients refuse a certificate.
type RefusedBy string

// From the least to the worst.
const (
	Strangers RefusedBy = "strangers" // clients that, like this host, do not know its authority
	Some      RefusedBy = "some"      // those that the text names
	All       RefusedBy = "all"       // every browser
)

// Judge finds the faults of a chain, leaf first, for clients that connect to name: by the rules of
// browsers and Apple devices, which x509 does not check, and by x509's own. roots are the known
// authorities; nil means the system's.
func Judge(name string, chain []*x509.Certificate, roots *x509.CertPool, now time.Time) (found []Finding) {
	leaf := chain[0]
	for _, judge := range []func(*x509.Certificate) *Finding{
		func(leaf *x509.Certificate) *Finding { return fault(name, leaf, now) },
		judgeKey, judgeUsage, judgeKeyUsage, judgeAuthority, judgeLifetime, judgeStapling,
	} {
		if f := judge(leaf); f != nil {
			found = append(found, *f)
		}
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return found // x509 would only repeat it
	}
	return append(found, judgeChain(chain, roots, now)...)
}

// fault returns a fault for which a pair is never accepted: the wrong name, or the wrong time.
func fault(name string, leaf *x509.Certificate, now time.Time) *Finding {
	accepted := *leaf
	accepted.DNSNames = slices.DeleteFunc(slices.Clone(leaf.DNSNames), func(pattern string) bool {
		return strings.HasPrefix(pattern, "*.") && strings.Count(pattern, ".") == 1
	})
	switch {
	case accepted.VerifyHostname(name) == nil:
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return &Finding{"name", All, fmt.Sprintf(
			"the certificate has no name, and so is not for %s: get one with that subject alternative name; "+
				"the common name does not count", name)}
	case len(accepted.DNSNames) < len(leaf.DNSNames):
		return &Finding{"name", All, fmt.Sprintf(
			"the certificate is for %s and not for %s: get one for it; "+
				"browsers refuse a wildcard for a whole top-level domain", names(leaf), name)}
	default:
		return &Finding{"name", All, fmt.Sprintf(
			"the certificate is for %s and not for %s: get one for it, or correct name", names(leaf), name)}
	}
	switch {
	case now.After(leaf.NotAfter):
		return &Finding{"ended", All, fmt.Sprintf(
			"the certificate expired on %s: renew it", leaf.NotAfter.UTC().Format(layout))}
	case now.Before(leaf.NotBefore):
		return &Finding{"not-begun", All, fmt.Sprintf("the certificate is not valid before %s: "+
			"wait, or correct this host's clock", leaf.NotBefore.UTC().Format(layout))}
	}
	return nil
}

// names lists the names that a certificate is for.
func names(leaf *x509.Certificate) string {
	var all []string
	for _, name := range leaf.DNSNames {
		if net.ParseIP(name) != nil {
			name += " (as a DNS name)" // no client accepts it as the address
		}
		all = append(all, name)
	}
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	return strings.Join(all, ", ")
}

const goodKey = "get one for an ECDSA key on P-256, or for RSA of 2048 bits"

func judgeKey(leaf *x509.Certificate) *Finding {
	kind := leaf.PublicKeyAlgorithm.String()
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		return nil // judgeSignatures checks its size
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384():
			return nil
		case elliptic.P521():
			return &Finding{"curve", Some,
				"its key is on the curve P-521, and Chrome and Edge refuse it: " + goodKey}
		}
		kind += " on " + key.Params().Name
	}
	return &Finding{"key", All, fmt.Sprintf("its key is %s, which no browser accepts: %s", kind, goodKey)}
}

func judgeUsage(leaf *x509.Certificate) *Finding {
	const remedy = "get one for servers, with serverAuth"
	usages := leaf.ExtKeyUsage
	switch {
	case slices.Contains(usages, x509.ExtKeyUsageServerAuth):
		return nil
	case slices.Contains(usages, x509.ExtKeyUsageAny):
		return &Finding{"usage", Some,
			"it is for any use, and Firefox, iPhones, iPads and Safari refuse it: " + remedy}
	case len(usages)+len(leaf.UnknownExtKeyUsage) == 0:
		if leaf.NotBefore.Before(appleRules) {
			return nil
		}
		return &Finding{"usage", Some, "it has no extended key usage, " +
			"and iPhones, iPads and Safari refuse it: " + remedy}
	}
	return &Finding{"usage", All,
		"it is not for servers (its extended key usage lacks serverAuth), and browsers refuse it: " + remedy}
}

// judgeKeyUsage checks that the key may sign, as the server does in every handshake.
func judgeKeyUsage(leaf *x509.Certificate) *Finding {
	const (
		text   = "its key may not sign (its key usage lacks digitalSignature), and "
		remedy = "refuse it: get one with that"
	)
	switch {
	case leaf.KeyUsage == 0 || leaf.KeyUsage&x509.KeyUsageDigitalSignature != 0:
		return nil
	case leaf.KeyUsage&(x509.KeyUsageKeyEncipherment|x509.KeyUsageKeyAgreement) != 0:
		return &Finding{"key-usage", Some, text + "Chrome and Edge " + remedy}
	}
	return &Finding{"key-usage", All, text + "browsers " + remedy}
}

func judgeAuthority(leaf *x509.Certificate) *Finding {
	if !leaf.IsCA || selfSigned(leaf) {
		return nil
	}
	return &Finding{"authority", Some,
		"it is an authority's (its basic constraints say CA), and Firefox refuses it: get one for a server"}
}

// Apple's rules apply to certificates issued since this day, by any authority. Public authorities
// must issue for less, but that is their business.
var appleRules = time.Date(2019, time.July, 1, 0, 0, 0, 0, time.UTC)

const appleLife = 825 * day

func judgeLifetime(leaf *x509.Certificate) *Finding {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	if life <= appleLife || leaf.NotBefore.Before(appleRules) {
		return nil
	}
	return &Finding{"lifetime", Some, fmt.Sprintf(
		"it is valid for %d days, and iPhones, iPads and Safari refuse more than %d, "+
			"even from your own authority: get one for less", life/day, appleLife/day)}
}

// mustStaple is the TLS feature extension (RFC 7633, section 6).
var mustStaple = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}

func judgeStapling(leaf *x509.Certificate) *Finding {
	if !slices.ContainsFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(mustStaple) }) {
		return nil
	}
	return &Finding{"must-staple", Some,
		"it asks for OCSP stapling (must-staple), which is not done here, and Firefox refuses it: get one without"}
}

// selfSigned reports whether a certificate is signed with its own key.
func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && signed(c, c)
}

// signed reports whether an issuer's key signed a certificate, whatever the issuer's constraints.
func signed(c, issuer *x509.Certificate) bool {
	return issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// judgeChain judges the path from the leaf to an authority.
func judgeChain(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) []Finding {
	leaf := chain[0]
	options := x509.VerifyOptions{Roots: roots, Intermediates: pool(chain[1:]), CurrentTime: now}
	if f := judgeUsage(leaf); f != nil { // already reported
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	}
	verified, unknown := leaf.Verify(options)
	if unknown == nil {
		// Clients find the best path too.
		var found [][]Finding
		for _, path := range verified {
			found = append(found, judgeSignatures(path))
		}
		return slices.MinFunc(found, func(a, b []Finding) int { return cmp.Compare(len(a), len(b)) })
	}
	if selfSigned(leaf) {
		return []Finding{{"self-signed", Some,
			"it vouches for itself: browsers warn about the page and refuse TURN over TLS; " +
				"get one from an authority that they know, your own or a public one"}}
	}
	path := climb(chain)
	found := judgeSignatures(path)
	if slices.ContainsFunc(found, func(f Finding) bool { return f.ID == "signature" }) {
		return found // x509 would only repeat it
	}
	// Each certificate in turn serves as the root, so that the first one that fails is found.
	for i, issuer := range path {
		options.Roots, options.Intermediates = pool(path[i:i+1]), pool(path[1:max(i, 1)])
		_, err := leaf.Verify(options)
		if err == nil {
			continue
		}
		text := fmt.Sprintf("browsers refuse its chain (%v): put the chain that came with it into the file, "+
			"or get one from another issuer", err)
		switch {
		case now.After(issuer.NotAfter):
			text = fmt.Sprintf("the certificate of its issuer %q expired on %s: put the issuer's current one into the file",
				title(issuer), issuer.NotAfter.UTC().Format(layout))
		case now.Before(issuer.NotBefore):
			text = fmt.Sprintf("the certificate of its issuer %q is not valid before %s: wait, or correct this host's clock",
				title(issuer), issuer.NotBefore.UTC().Format(layout))
		}
		return append(found, Finding{"chain", atHeight(i), text})
	}
	top := path[len(path)-1]
	switch {
	case bytes.Equal(top.RawIssuer, top.RawSubject):
		return append(found, Finding{"unknown", Strangers, fmt.Sprintf(
			"this host does not know the authority %q (%v): make sure that all clients do", title(top), unknown)})
	case slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
		return bytes.Equal(c.RawSubject, top.RawIssuer)
	}):
		return append(found, Finding{"misfit", Some, fmt.Sprintf(
			"%q did not sign %q, another key with that name did: "+
				"put the chain that came with the certificate into the file, since clients that do not know the issuer need it",
			top.Issuer.CommonName, title(top))})
	}
	return append(found, Finding{"incomplete", Some, fmt.Sprintf(
		"the chain ends at %q, whose issuer %q this host does not know (%v), "+
			"and clients that do not know it either refuse the chain: append the issuer's certificate to the file",
		title(top), top.Issuer.CommonName, unknown)})
}

// atHeight returns which clients refuse a chain for a fault at that height. Above the leaf's own
// issuer, clients may know another certificate for the same key.
func atHeight(i int) RefusedBy {
	if i > 1 {
		return Some
	}
	return All
}

// climb returns the path from the leaf to the last issuer in the chain, whatever the chain's order.
func climb(chain []*x509.Certificate) []*x509.Certificate {
	path := chain[:1:1]
	for {
		top := path[len(path)-1]
		i := slices.IndexFunc(chain, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, top.RawIssuer) && signed(top, c) &&
				!slices.ContainsFunc(path, c.Equal)
		})
		if i < 0 {
			return path
		}
		path = append(path, chain[i])
	}
}

// judgeSignatures finds short keys in a chain, and signatures that browsers do not know or trust.
// The self-signature of a root does not count.
func judgeSignatures(path []*x509.Certificate) (found []Finding) {
	for i, c := range path {
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < 2048 {
			found = append(found, Finding{"short-key", Some, fmt.Sprintf(
				"the RSA key of %q has %d bits, and iPhones, iPads and Safari refuse less than 2048: %s",
				title(c), key.N.BitLen(), goodKey)})
		}
		switch c.SignatureAlgorithm {
		case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
			x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
			x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
			continue
		}
		if !bytes.Equal(c.RawIssuer, c.RawSubject) {
			found = append(found, Finding{"signature", atHeight(i), fmt.Sprintf(
				"%q is signed with %s, which browsers refuse: get one that is signed with RSA or ECDSA, and SHA-256",
				title(c), c.SignatureAlgorithm)})
		}
	}
	return found
}

func pool(list []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range list {
		pool.AddCert(c)
	}
	return pool
}

// title is the name by which people know a certificate.
func title(c *x509.Certificate) string {
	if c.Subject.CommonName != "" || len(c.DNSNames) == 0 {
		return cmp.Or(c.Subject.CommonName, c.Subject.String())
	}
	return c.DNSNames[0]
}
