package config

import (
	"encoding"
	"reflect"
	"strings"
)

// Keys returns every key that has a value, such as "relay.max_session", in the order of the types.
func Keys() (keys []string) {
	walk(reflect.ValueOf(new(Config)).Elem(), "",
		func(key string, _ reflect.Value) { keys = append(keys, key) })
	return keys
}

// Changes returns the keys whose values differ.
func Changes(a, b Config) (keys []string) {
	values := map[string]any{}
	walk(reflect.ValueOf(&a).Elem(), "", func(key string, v reflect.Value) { values[key] = plain(v) })
	walk(reflect.ValueOf(&b).Elem(), "", func(key string, v reflect.Value) {
		if !reflect.DeepEqual(values[key], plain(v)) {
			keys = append(keys, key)
		}
	})
	return keys
}

// Take copies one key's value from another configuration.
func Take(c *Config, from Config, key string) {
	var taken reflect.Value
	walk(reflect.ValueOf(&from).Elem(), "", func(k string, v reflect.Value) {
		if k == key {
			taken = v
		}
	})
	walk(reflect.ValueOf(c).Elem(), "", func(k string, v reflect.Value) {
		if k == key {
			v.Set(taken)
		}
	})
}

// walk visits every value, as decode does.
func walk(v reflect.Value, key string, visit func(key string, v reflect.Value)) {
	if _, text := v.Addr().Interface().(encoding.TextUnmarshaler); text || v.Kind() != reflect.Struct {
		visit(key, v)
		return
	}
	for i, name := range namesOf(v) {
		walk(v.Field(i), strings.TrimPrefix(key+"."+name, "."), visit)
	}
}

// plain turns an empty list into none, so that the two are equal.
func plain(v reflect.Value) any {
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return nil
	}
	return v.Interface()
}
