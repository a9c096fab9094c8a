// npm run schema: writes the files that are generated from the code.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { generatedFiles } from './generated.ts';

for (const [file, text] of await generatedFiles()) {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
