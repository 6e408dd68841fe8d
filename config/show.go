package config

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml"
)

// Show writes all values as a configuration, each with its origin in a comment. The user and
// password of a URL are omitted.
func (s *Source) Show(w io.Writer, c Config) error {
	return s.show(w, reflect.ValueOf(&c).Elem(), "", "")
}

func (s *Source) show(w io.Writer, v reflect.Value, prefix, indent string) error {
	for i, name := range namesOf(v) {
		field, key := v.Field(i), prefix+name
		if isSection(field) {
			if _, err := fmt.Fprintf(w, "%s%s:\n", indent, name); err != nil {
				return err
			}
			if err := s.show(w, field, key+".", indent+"  "); err != nil {
				return err
			}
			continue
		}
		text, err := encode(field)
		if err == nil {
			_, err = fmt.Fprintf(w, "%s%s: %s # %s\n", indent, name,
				userinfo.ReplaceAllString(text, "://...@"), s.Origin(key))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// encode writes a value as YAML on one line.
func encode(v reflect.Value) (string, error) {
	switch v := v.Interface().(type) {
	case time.Duration: // 8h, not 8h0m0s
		text := v.String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		if strings.HasSuffix(text, "h0m") {
			text = strings.TrimSuffix(text, "0m")
		}
		return text, nil
	case string:
		if strings.ContainsFunc(v, unicode.IsControl) {
			return strconv.Quote(v), nil
		}
	case slog.Level:
		return strings.ToLower(v.String()), nil
	}
	text, err := yaml.MarshalWithOptions(v.Interface(), yaml.Flow(true))
	return strings.TrimSpace(string(text)), err
}
