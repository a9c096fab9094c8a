# Asks Ruby's Psych what the first column of both tables means, and writes the answers beside it:
#   ruby packages/agent/src/config/testdata/psych.rb
require 'psych'
require 'json'
require 'date'
require 'set'

def describe(value)
  case value
  when Hash then ['map', value.map { |k, v| [describe(k), describe(v)] }]
  when Array then ['seq', value.map { |v| describe(v) }]
  when nil then ['nil']
  when true, false then ['bool', value]
  when Integer then ['int', value.to_s]
  when Float then ['float', value.to_s]
  when Symbol then ['sym', value.to_s]
  when String then ['str', value.dup.force_encoding('UTF-8')]
  else [value.class.to_s, value.to_s]
  end
end

def rewrite(name)
  path = File.join(__dir__, name)
  rows = JSON.parse(File.read(path)).map do |text, *|
    begin
      [text, *yield(text)]
    rescue StandardError, SyntaxError, SystemStackError
      [text, 'raise']
    end
  end
  File.write(path, "[\n" + rows.map { |row| JSON.generate(row) }.join(",\n") + "\n]\n")
end

rewrite('psych-scalars.json') do |text|
  describe(Psych::ScalarScanner.new(Psych::ClassLoader.new).tokenize(text))
end
rewrite('psych-documents.json') do |text|
  node = Psych.parse(text)
  node ? describe(node.to_ruby) : ['empty']
end
