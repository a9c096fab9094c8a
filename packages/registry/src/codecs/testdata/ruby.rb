# Asks Ruby for the JSON of values and for the ids of names, and writes both tables anew:
#   ruby packages/registry/src/codecs/testdata/ruby.rb
require 'json'

floats = [0.0, -0.0, 1.0, 1.5, -2.5, 0.1, 1e15, 1e16, 1.5e16, 123456789012345.6, 1e20, 1.25e21, 1e22, 1e100,
          9007199254740992.0, 9007199254740994.0, 1e-3, 1e-4, 1e-5, 1.5e-5, 1e-6, 1e-7, 2.5e-7, 1e-100, 5e-324, 1.7976931348623157e308]
texts = ['', 'plain', 'café/é"\\<>&', "\u2028\u2029", "\b\f\n\r\t\u0000\u001f\u007f\u0080", "\u{1f600}", "'", '</script>']
values = [nil, true, false, 0, -1, 65_535, 9_007_199_254_740_991, [], {}, [[], {}], { 'a' => { 'b' => [1, nil] } }, { '' => '' }]
rows = floats.map { |f| { 'float' => [f].pack('G').unpack1('H*'), 'json' => f.to_json } } +
       (texts + values).map { |v| { 'value' => v, 'json' => v.to_json } }
File.write(File.join(__dir__, 'ruby-json.json'), "[\n" + rows.map { |row| JSON.generate(row) }.join(",\n") + "\n]\n")

names = ['web_12_', 'i-0123abcd.example_0000000007', 'i-0123abcd.example_', '12', '_', '', '__', 'a', 'a_', 'a_b', '_5', '5_',
         'web_-2147483648', 'a_0', 'a_00', 'a_1_2', 'a_1_b_', 'a_ 1', 'a_1 ', 'x_12__', 'go_web1_c_9f6b-0000000003',
         'base64_4_YWJj_0000000009', 'base64_4_YWJj_', 'a_1.5', 'a-0000000003', "a_\u0663", 'a_+1', 'a_9007199254740991']
ids = names.map { |name| last = name.split('_').last; [name, last =~ /^\d+$/ ? last.to_i : nil] }
File.write(File.join(__dir__, 'ruby-ids.json'), "[\n" + ids.map { |row| JSON.generate(row) }.join(",\n") + "\n]\n")
